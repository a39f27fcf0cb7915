/* Gives each result the largest size for which its slide has room; at most about that of the text. */
const largest = () => parseFloat(getComputedStyle(document.body).fontSize) / 14.5;
const tooLarge = (slide) =>
  [slide, ...slide.querySelectorAll(".code, .results > *, .results .icws, .results .icws-wide")].some(
    (part) => part.scrollHeight > part.clientHeight + 2 || part.scrollWidth > part.clientWidth + 2,
  );
const fit = () => {
  for (const results of document.querySelectorAll(".results")) {
    const slide = results.closest(".slide");
    for (const size of [1, 0.9, 0.8, 0.72, 0.65, 0.58, 0.52]) {
      results.style.setProperty("--zoom", size * largest());
      if (!tooLarge(slide)) break;
    }
  }
};
addEventListener("resize", fit);
fit();
