"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);

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
  // Long tables: a field above keeps the rows that hold every word in it.
  const filterable = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 6) return;
    const field = document.createElement("input");
    const count = document.createElement("output");
    const bar = document.createElement("div");
    bar.className = "filter";
    field.type = "search";
    field.placeholder = "Filter rows";
    field.setAttribute("aria-label", `Filter rows: ${table.parentElement.getAttribute("aria-label")}`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      const shown = rows.filter((row) => !row.hidden).length;
      count.value = words.length ? `${shown} of ${rows.length} rows` : "";
    });
    bar.append(field, count);
    table.parentElement.before(bar);
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
    filterable(table);
  }

  // Models: one that is picked, in the list, in a table or in a chart, stands out everywhere.
  const picked = new Set();
  const charts = [];
  const list = document.querySelector(".models");
  const show = ({ view, models }) =>
    view.signal("pick", [...picked].filter((name) => models.has(name))).runAsync();
  const showAll = () => {
    for (const chart of charts) show(chart);
    for (const button of document.querySelectorAll("button[data-series]"))
      button.setAttribute("aria-pressed", picked.has(button.dataset.series));
    for (const row of document.querySelectorAll("tbody tr"))
      row.classList.toggle("picked", picked.has(row.querySelector("button[data-series]")?.dataset.series));
    if (!list) return;
    list.querySelector("output").value = picked.size ? `Highlighted: ${[...picked].join(", ")}` : "";
    list.querySelector(".clear").hidden = !picked.size;
  };
  const pick = (name) => {
    if (!picked.delete(name)) picked.add(name);
    showAll();
  };
  const clear = () => {
    if (!picked.size) return;
    picked.clear();
    showAll();
  };
  for (const cell of document.querySelectorAll("td[data-series]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.series = cell.dataset.series;
    button.setAttribute("aria-pressed", "false");
    button.append(...cell.childNodes);
    cell.append(button);
  }
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-series]");
    if (button) pick(button.dataset.series);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && clear());
  if (list) {
    list.hidden = false;
    list.querySelector(".clear").addEventListener("click", clear);
  }

  // A chart's rows as a table, for who would rather read them.
  const MOST_ROWS = 500;
  const shown = (value) => typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  const tabulated = (rows) => {
    const fields = [...new Set(rows.slice(0, MOST_ROWS).flatMap(Object.keys))].filter((key) => !PLACES.has(key));
    const table = document.createElement("table");
    const line = (row, values, kind) => values.forEach((value) => {
      const cell = document.createElement(kind);
      cell.textContent = value ?? "";
      row.append(cell);
    });
    line(table.createTHead().insertRow(), fields, "th");
    const body = table.createTBody();
    for (const row of rows.slice(0, MOST_ROWS))
      line(body.insertRow(), fields.map((field) => shown(row[field])), "td");
    return table;
  };
  const PLACES = new Set(["dx", "dy", "align"]);
  for (const details of document.querySelectorAll("details.data"))
    details.addEventListener("toggle", () => {
      if (details.querySelector("table")) return;
      const rows = specs[details.dataset.figure].data.values;
      const box = document.createElement("div");
      box.className = "table-box";
      box.tabIndex = 0;
      box.append(tabulated(rows));
      details.append(box);
      if (rows.length > MOST_ROWS) details.append(`The first ${MOST_ROWS} of ${rows.length} rows.`);
    });

  // Charts: drawn one after the other, so that the page answers in between; the static picture if drawing fails.
  const clickable = (spec) => {
    for (const legend of spec.legends ?? [])
      for (const part of ["symbols", "labels"])
        legend.encode = { ...legend.encode, [part]: { ...legend.encode?.[part], interactive: true } };
    return spec;
  };
  const draw = async (box) => {
    const picture = box.querySelector("noscript").textContent;
    const place = document.createElement("div");
    place.style.width = "100%";
    box.prepend(place);
    try {
      const spec = specs[box.dataset.figure];
      spec.config.legend.labelLimit = Math.min(spec.config.legend.labelLimit, box.clientWidth - 100);
      spec.config.legend.columns = Math.max(1, Math.floor((box.clientWidth - 60) / spec.usermeta.legend_entry_px));
      const { view } = await vegaEmbed(place, spec, {
        actions: false, renderer: "svg", tooltip: { theme: "custom" }, patch: clickable,
      });
      const chart = { view, models: new Set(spec.data.values.map((row) => row.model)) };
      view.addEventListener("click", (event, item) => {
        const name = item?.datum?.model ?? item?.datum?.value;
        if (chart.models.has(name)) pick(name);
      });
      charts.push(chart);
      if (picked.size) show(chart);
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
