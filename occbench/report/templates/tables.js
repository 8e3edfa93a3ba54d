/* Sorting and filtering of tables. Without it every row and column is there, in the benchmark's order. */
{
  const partOf = element => element.closest("[data-part]");
  const say = (part, text) => { part.querySelector("[data-status]").textContent = text; };

  /* A cell's sort key: its number where it has one, its text otherwise, nothing where it says that there is none. */
  const keyOf = cell => {
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    return cell.hasAttribute("data-none") ? null : cell.textContent.trim();
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number"
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });

  const sortable = table => {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const sort = (column, label) => {
      const head = heads[column];
      const keyed = rows.map((row, place) => ({ row, place, key: keyOf(row.cells[column]) }));
      /* numbers begin with the largest, names with the first; the third time gives the benchmark's order back */
      const first = keyed.some(item => typeof item.key === "number") ? "descending" : "ascending";
      const second = first === "descending" ? "ascending" : "descending";
      const now = head.getAttribute("aria-sort");
      const next = now === first ? second : now === second ? null : first;
      for (const other of heads) other.removeAttribute("aria-sort");
      if (next) {
        head.setAttribute("aria-sort", next);
        const sign = next === "descending" ? -1 : 1;
        keyed.sort((a, b) => (a.key === null) - (b.key === null)
          || (a.key === null ? 0 : sign * compare(a.key, b.key)) || a.place - b.place);
      }
      body.append(...keyed.map(item => item.row));
      say(partOf(table), next ? `Sorted by ${label}, ${next}.` : "In the benchmark's order.");
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      const label = head.dataset.label ?? head.firstChild.textContent.trim();
      button.type = "button";
      if (head.dataset.label) button.setAttribute("aria-label", label);
      button.append(head.firstChild);
      head.prepend(button);
      button.addEventListener("click", () => sort(column, label));
    });
  };

  const filterable = form => {
    const part = partOf(form);
    const rows = [...part.querySelectorAll("tr[data-arm]")];
    const curve = /-curve-(\d+)-/;
    const apply = () => {
      const chosen = new FormData(form);
      const allowed = name => form.elements[name] ? new Set(chosen.getAll(name)) : null;
      const facets = ["backbone", "method", "arm"].map(name => [name, allowed(name)]);
      const fits = row => facets.every(([name, values]) => !values || values.has(row.dataset[name]));
      const shown = new Set(rows.filter(fits).map(row => row.dataset.row));
      const columns = allowed("column");
      for (const element of part.querySelectorAll("[data-row], [data-column]")) {
        const { row, column } = element.dataset;
        const off = (row !== undefined && !shown.has(row)) || (column !== undefined && columns && !columns.has(column));
        element.classList.toggle("off", Boolean(off));
      }
      for (const element of part.querySelectorAll(".figure [id*='-curve-']")) {
        element.classList.toggle("off", !shown.has(curve.exec(element.id)[1]));
      }
      say(part, `Showing ${shown.size} of ${rows.length} rows` + (columns ? ` and ${columns.size} columns.` : "."));
      part.shownRows = shown;
      part.dispatchEvent(new Event("rows-shown"));
    };
    form.addEventListener("change", apply);
    form.querySelector("[data-reset]").addEventListener("click", () => { form.reset(); apply(); });
    form.addEventListener("submit", event => event.preventDefault());
    form.closest("details").hidden = false;
  };

  document.querySelectorAll("table[data-sortable]").forEach(sortable);
  document.querySelectorAll("form[data-filters]").forEach(filterable);

  /* Paper cannot be unfolded. */
  addEventListener("beforeprint", () => {
    for (const box of document.querySelectorAll("details:not([open]):not(.filters)")) {
      box.open = true;
      box.dataset.opened = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const box of document.querySelectorAll("details[data-opened]")) {
      box.open = false;
      delete box.dataset.opened;
    }
  });
}
