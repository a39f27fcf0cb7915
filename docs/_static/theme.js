// The package's views follow JupyterLab's attribute on the body; here it says which theme furo shows.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const tell = () => {
    const chosen = document.body.dataset.theme;
    const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
    document.body.setAttribute("data-jp-theme-light", String(!isDark));
  };
  document.addEventListener("DOMContentLoaded", () => {
    tell();
    new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
    dark.addEventListener("change", tell);
  });
})();
