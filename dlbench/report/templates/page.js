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

  // Charts: drawn one after the other, so that the page answers in between; the static picture if drawing fails.
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const draw = async (box) => {
    const picture = box.querySelector("noscript").textContent;
    const place = document.createElement("div");
    place.style.width = "100%";
    box.prepend(place);
    try {
      const spec = specs[box.dataset.figure];
      spec.config.legend.columns = Math.max(1, Math.floor((box.clientWidth - 60) / spec.usermeta.legend_entry_px));
      await vegaEmbed(place, spec, { actions: false, renderer: "svg", tooltip: { theme: "custom" } });
      box.classList.add("drawn");
    } catch (error) {
      console.error(box.dataset.figure, error);
      box.innerHTML = picture;
    }
  };
  (async () => {
    for (const box of document.querySelectorAll(".chart")) await draw(box);
  })();

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
