// The library's list: a table, and cards on a phone. Titles are links like any others, so that they
// open in another tab too; nothing but Enter or a click opens one. Texts are only ever set as text.

const lists = new WeakMap();

export default function ({ parentElement, data, setTriggerValue, setStateValue }) {
  let list = lists.get(parentElement);
  if (!list) {
    list = new List(parentElement);
    lists.set(parentElement, list);
  }
  Object.assign(list, { open: setTriggerValue, keep: setStateValue });
  list.show(data.rows);
  return () => lists.delete(parentElement);
}

class List {
  constructor(root) {
    this.body = root.querySelector("tbody");
    this.all = root.querySelector(".all");
    this.selected = new Set();
    this.all.addEventListener("change", () => this.selectAll());
    this.body.addEventListener("change", (event) => this.select(event.target));
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.body.addEventListener("keydown", (event) => this.onKey(event));
  }

  show(rows) {
    const shown = JSON.stringify(rows);
    if (shown === this.shown) return;
    this.shown = shown;
    this.rows = new Map(rows.map((row) => [row.id, row]));
    this.selected = new Set([...this.selected].filter((id) => this.rows.has(id)));
    this.body.replaceChildren(...rows.map((row) => this.row(row)));
    this.showAll();
  }

  row(row) {
    const made = part("tr", row.isDone ? "" : "not-done");
    made.dataset.id = row.id;
    const box = part("input", "one");
    box.type = "checkbox";
    box.checked = this.selected.has(row.id);
    box.setAttribute("aria-label", `Select ${row.title}`);
    const title = part("th", "title", [this.link(row)]);
    title.scope = "row";
    if (row.source) title.append(part("div", "source", [row.source]));
    if (row.excerpt) {
      const words = row.excerpt.map(([text, isHit]) => (isHit ? part("mark", "", [text]) : text));
      title.append(part("div", "excerpt", words));
    }
    made.append(
      part("td", "pick", [box]),
      title,
      part("td", "date", [row.date]),
      part("td", "length", [row.length]),
      part("td", "language", [row.language]),
      part("td", "topics", row.topics.map((each) => part("span", "chip", [each]))),
      part("td", "sentiment", [row.sentiment]),
      part("td", "tags", row.tags.map((each) => part("span", "chip", [each]))),
      part("td", "state", [row.state]),
    );
    return made;
  }

  link(row) {
    const made = part("a", "", [row.title]);
    const query = new URLSearchParams({ id: row.id, ...(row.query ? { q: row.query } : {}) });
    // Beside this page, under whatever path both are served.
    const folder = location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "") || "/";
    made.href = `${folder}recording?${query}`;
    return made;
  }

  // The row of a click or a key, and what it does

  onClick(event) {
    if (event.target.closest(".pick")) return;
    const isLink = event.target.closest("a");
    if (isLink && (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) return;
    if (!isLink && String(document.getSelection())) return;
    event.preventDefault();
    const row = this.rows.get(event.target.closest("tr").dataset.id);
    this.open("open", { id: row.id, query: row.query });
  }

  /** Arrow keys move from title to title, or from box to box, and open nothing. */
  onKey(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const kind = event.target.matches(".one") ? ".one" : "a";
    event.target.closest("tr")[step]?.querySelector(kind).focus();
    event.preventDefault();
  }

  select(box) {
    const { id } = box.closest("tr").dataset;
    if (box.checked) this.selected.add(id);
    else this.selected.delete(id);
    this.tell();
  }

  selectAll() {
    this.selected = new Set(this.all.checked ? this.rows.keys() : []);
    for (const box of this.body.querySelectorAll(".one")) box.checked = this.all.checked;
    this.tell();
  }

  tell() {
    this.showAll();
    this.keep("selected", [...this.rows.keys()].filter((id) => this.selected.has(id)));
  }

  showAll() {
    this.all.checked = this.rows.size > 0 && this.selected.size === this.rows.size;
    this.all.indeterminate = this.selected.size > 0 && !this.all.checked;
  }
}

function part(name, className, children = []) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
