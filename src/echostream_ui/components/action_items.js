// Action items, a row each: ticked, edited, deleted and added here, and kept by the server. It answers
// with all of them as they are then.

const lists = new WeakMap();
const FIELDS = [
  ["text", "Action item", "text", 500],
  ["owner", "Person", "text", 100],
  ["due", "Due, in words", "text", 100],
  ["due_date", "Due on", "date"],
];

function tidy(typed) {
  return typed.split(/\s+/).filter(Boolean).join(" ");
}

class Items {
  constructor(root) {
    const part = (selector) => root.querySelector(selector);
    Object.assign(this, { root, list: part("ul"), told: part(".told"), problem: part(".problem") });
    this.people = part("datalist");
    this.form = part(".add");
    this.field = part(".add input");
    this.requests = new Requests((change) => this.trigger("edit", change));
    this.form.addEventListener("submit", (event) => this.add(event));
    part(".items").addEventListener("keydown", (event) => event.stopPropagation()); // others have shortcuts
  }

  update({ items, people, reply }, trigger) {
    this.trigger = trigger;
    this.people.replaceChildren(...people.map((name) => new Option(name, name)));
    const shown = JSON.stringify(items);
    if (shown !== this.shown) {
      this.shown = shown;
      this.items = items;
      this.show();
    }
    this.requests.onReply(reply);
  }

  /** Show all rows. The one that is being edited stays as it is. */
  show() {
    const focused = this.root.activeElement;
    const done = this.items.filter((item) => item.done).length;
    this.tell(this.items.length ? `${done} of ${this.items.length} done` : "No action items.");
    const same = this.items.filter((item) => item.stored === this.editor?.stored);
    const edited = same.find((item) => item.place === this.editor.place) ?? same[0];
    this.list.replaceChildren(...this.items.map((item) => (item === edited ? this.editor.row : this.row(item))));
    if (focused?.isConnected) focused.focus();
    else if (focused?.name) this.focusOn(focused.name, focused.closest("li").dataset.stored);
  }

  tell(text, button) {
    this.told.replaceChildren(text, ...(button ? [" ", button] : []));
  }

  /** Put the focus on the same control of the same item as before; on the field to add one if that item
   * is gone. */
  focusOn(name, stored) {
    const row = [...this.list.children].find((each) => each.dataset.stored === stored);
    (row?.querySelector(`[name=${name}]`) ?? this.field).focus();
  }

  row(item) {
    const row = element("li", item.done ? "done" : "");
    row.dataset.stored = item.stored;
    const label = element("label");
    const box = element("input");
    Object.assign(box, { type: "checkbox", name: "tick", checked: item.done });
    box.addEventListener("change", () => this.change(item, { done: box.checked }, () => (box.checked = item.done)));
    label.append(box, element("span", "text", item.text));
    const facts = [item.owner, item.due, item.day].filter(Boolean).join(" · ");
    const edit = button("icon edit", "");
    Object.assign(edit, { name: "edit", title: "Edit, assign, set when it is due" });
    edit.setAttribute("aria-label", `Edit: ${item.text}`);
    edit.addEventListener("click", () => this.edit(item, row));
    const remove = button("icon remove", "");
    Object.assign(remove, { name: "remove", title: "Delete" });
    remove.setAttribute("aria-label", `Delete: ${item.text}`);
    remove.addEventListener("click", () => this.remove(item));
    const places = item.places.map((place) => placeButton(place, () => goTo(place.line)));
    places.forEach((each) => each.classList.add("place"));
    const rest = element("div", "rest");
    const tools = element("span", "tools");
    tools.append(edit, remove);
    rest.append(...(facts ? [element("span", "facts", facts)] : []), ...places, tools);
    row.append(label, rest);
    return row;
  }

  edit(item, row) {
    this.editor?.close();
    const form = element("form", "editor");
    const inputs = FIELDS.map(([name, label, type, most]) => {
      const input = element("input");
      Object.assign(input, { name, type, value: item[name] ?? "", ...(most ? { maxLength: most } : {}) });
      input.setAttribute("aria-label", label);
      if (type === "text") input.placeholder = label;
      if (name === "owner") input.setAttribute("list", "people");
      return input;
    });
    const save = button("save", "Save");
    save.type = "submit";
    const cancel = button("cancel", "Cancel");
    const buttons = element("div", "buttons");
    buttons.append(save, cancel);
    form.append(...inputs, buttons);
    const close = () => {
      this.editor = null;
      this.show();
      this.focusOn("edit", item.stored);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const changed = inputs.filter(({ name, value }) => tidy(value) !== (item[name] ?? ""));
      if (!tidy(inputs[0].value) || !changed.length) return close();
      const set = Object.fromEntries(changed.map(({ name, value }) => [name, tidy(value) || null]));
      this.change(item, set, undefined, () => {
        this.editor = null;
        this.show();
        this.focusOn("edit", set.text ?? item.stored);
      });
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    cancel.addEventListener("click", close);
    row.replaceChildren(form);
    this.editor = { row, place: item.place, stored: item.stored, close };
    inputs[0].focus();
  }

  remove(item) {
    const undo = button("undo", "Undo");
    undo.addEventListener("click", () => {
      this.field.focus();
      this.ask({ add: item.whole, place: item.place });
    });
    this.ask({ place: item.place, stored: item.stored, remove: true }, () => {
      this.tell(`Deleted “${item.text}”.`, undo);
      undo.focus();
    });
  }

  add(event) {
    event.preventDefault();
    const text = tidy(this.field.value);
    if (text) this.ask({ add: { text } }, () => (this.field.value = ""));
  }

  change(item, set, onError, onKept) {
    this.ask({ place: item.place, stored: item.stored, set }, onKept, onError);
  }

  ask(change, onKept = () => {}, onError = () => {}) {
    this.requests.ask(change, ({ error }) => {
      this.problem.textContent = error ?? "";
      if (error) onError();
      else onKept();
    });
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  let items = lists.get(parentElement);
  if (!items) {
    items = new Items(parentElement);
    lists.set(parentElement, items);
  }
  items.update(data, setTriggerValue);
  return () => lists.delete(parentElement);
}
