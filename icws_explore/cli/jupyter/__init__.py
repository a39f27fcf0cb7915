"""Commands that open notebooks in JupyterLab, or hand them out."""
