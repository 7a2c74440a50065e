// The library's list: a table, and cards on a phone. Titles are links like any others, so that they
// open in another tab too; nothing but Enter or a click opens one. Below a title are the lines that a
// search has found, with links to their places. Texts are only ever set as text.

const CAN_FOCUS = "a, input, button";

const lists = new WeakMap();

export default function ({ parentElement, data, setTriggerValue, setStateValue }) {
  let list = lists.get(parentElement);
  if (!list) {
    list = new List(parentElement);
    lists.set(parentElement, list);
  }
  Object.assign(list, { send: setTriggerValue, keep: setStateValue });
  list.show(data.rows, data.some);
  parentElement.host.dataset.shown = ""; // the page keeps room until then
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

  show(rows, some) {
    const shown = JSON.stringify(rows);
    if (shown === this.shown) return;
    this.shown = shown;
    this.some = some;
    const focus = this.focus();
    this.rows = new Map(rows.map((row) => [row.id, row]));
    this.selected = new Set([...this.selected].filter((id) => this.rows.has(id)));
    this.body.replaceChildren(...rows.map((row) => this.row(row)));
    this.showAll();
    if (focus) this.refocus(focus);
  }

  /** Which element of which row has the focus. */
  focus() {
    const active = this.body.getRootNode().activeElement;
    const row = this.body.contains(active) && active.closest("tr");
    return row ? { id: row.dataset.id, place: [...row.querySelectorAll(CAN_FOCUS)].indexOf(active) } : null;
  }

  /** Give it to the element in the same place, which after *Show all* is the first new match. */
  refocus({ id, place }) {
    const row = [...this.body.rows].find((each) => each.dataset.id === id);
    const all = [...(row?.querySelectorAll(CAN_FOCUS) ?? [])];
    (all[place] ?? all.at(-1))?.focus();
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
    if (row.folder) title.append(part("div", "folder", [`In ${row.folder}`]));
    if (row.matches.length) title.append(this.matches(row));
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
    const made = part("a", "open", [row.title]);
    made.href = addressOf("recording", { id: row.id, q: row.query });
    return made;
  }

  /** The lines that were found, each a link to its place. */
  matches(row) {
    const lines = row.matches.map(({ clock, at, parts, query }) => {
      const words = parts.map(([text, isHit]) => (isHit ? part("mark", "", [text]) : text));
      const place = part("a", "match", [part("span", "clock", [clock]), part("span", "", words)]);
      place.href = addressOf("recording", { id: row.id, t: at, q: query });
      return part("li", "", [place]);
    });
    const made = part("div", "found", [part("ul", "", lines)]);
    if (row.allMatches > this.some) {
      const isAll = row.matches.length > this.some;
      const words = isAll ? "Show fewer passages" : `Show all ${row.allMatches.toLocaleString("en")} passages`;
      const more = part("button", "more", [words]);
      more.type = "button";
      more.setAttribute("aria-label", `${words} of ${row.title}`);
      made.append(more);
    }
    return made;
  }

  // The row of a click or a key, and what it does

  onClick(event) {
    if (event.target.closest(".pick")) return;
    const row = event.target.closest("tr");
    if (event.target.closest(".more")) {
      this.send("more", row.dataset.id);
      return;
    }
    const clicked = event.target.closest("a");
    if (clicked && isForBrowser(event)) return;
    if (!clicked && String(document.getSelection())) return;
    event.preventDefault();
    openPage((clicked ?? row.querySelector(".open")).href);
  }

  /** Arrow keys move from title to title, or from box to box, and open nothing. */
  onKey(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const kind = event.target.matches(".one") ? ".one" : ".open";
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
