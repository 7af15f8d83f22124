"use strict";
(() => {
  // Tables: a click on a heading sorts by it, numbers as numbers, empty cells last.
  const keyed = (cell) => {
    const raw = cell.dataset.value;
    return raw === "" ? null : raw.trim() !== "" && Number.isFinite(Number(raw)) ? Number(raw) : raw;
  };
  const order = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const now = head.getAttribute("aria-sort");
        const down = now ? now === "ascending" : numeric;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [keyed(row.cells[index]), row]);
        rows.sort(([a], [b]) => (a === null || b === null ? order(a, b) : (down ? -1 : 1) * order(a, b)));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // Charts: drawn when they come near the screen, all of them before printing; the static picture if drawing fails.
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const fall = (box, error) => {
    console.error(box.dataset.figure, error);
    box.innerHTML = box.dataset.fallback;
  };
  const draw = (box) => {
    if (box.dataset.drawn) return;
    box.dataset.drawn = "yes";
    box.dataset.fallback = box.querySelector("noscript").textContent;
    const options = { actions: false, renderer: "svg", tooltip: { theme: "custom" } };
    const place = document.createElement("div");
    place.style.width = "100%";
    box.prepend(place);
    vegaEmbed(place, specs[box.dataset.figure], options).then(
      () => box.classList.add("drawn"),
      (error) => fall(box, error)
    );
  };
  const boxes = document.querySelectorAll(".chart");
  if ("IntersectionObserver" in window) {
    const near = new IntersectionObserver(
      (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => { draw(one.target); near.unobserve(one.target); }),
      { rootMargin: "800px" }
    );
    boxes.forEach((box) => near.observe(box));
  } else boxes.forEach(draw);
  window.addEventListener("beforeprint", () => boxes.forEach(draw));

  // Contents: the section being read is marked.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  if ("IntersectionObserver" in window) {
    const reading = new IntersectionObserver(
      (seen) => {
        for (const one of seen) links.get(one.target.id)?.classList.toggle("here", one.isIntersecting);
      },
      { rootMargin: "-30% 0px -60% 0px" }
    );
    document.querySelectorAll("main > section").forEach((section) => reading.observe(section));
  }
})();
