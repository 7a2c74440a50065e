// The places that the user marked: links that play from there, with a note each. The player says when a
// new one is wanted.

const marked = new WeakMap();

class Bookmarks {
  constructor(root) {
    const part = (selector) => root.querySelector(selector);
    Object.assign(this, { section: part(".bookmarks"), list: part("ul"), told: part(".told"), problem: part(".problem") });
    this.requests = new Requests((change) => this.trigger("edit", change));
    this.onMark = ({ detail }) => this.add(detail.at, detail.isTouched);
    window.addEventListener("echostream-mark", this.onMark);
  }

  close() {
    window.removeEventListener("echostream-mark", this.onMark);
  }

  update(data, trigger) {
    this.trigger = trigger;
    this.data = data;
    const places = JSON.stringify(data.bookmarks.map(({ at }) => at));
    if (places !== this.places) {
      this.places = places;
      this.list.replaceChildren(...data.bookmarks.map((each) => this.item(each)));
    } else this.fields.forEach((field, i) => this.show(field, data.bookmarks[i].note));
    this.section.hidden = this.isEmpty;
    this.requests.onReply(data.reply);
    this.section.hidden = this.isEmpty;
  }

  get isEmpty() {
    return !this.data.bookmarks.length && !this.problem.textContent && !this.told.textContent;
  }

  get fields() {
    return [...this.list.querySelectorAll("input")];
  }

  /** What is being typed stays. */
  show(field, note) {
    if (!field.matches(":focus")) field.value = note;
  }

  ask(change) {
    this.requests.ask(change, ({ error }) => {
      this.problem.textContent = error ?? "";
      if (change.isNew) this.focusOnNew();
    });
  }

  /** Mark a place. Whoever has a keyboard types the note then, and is back where they were. */
  add(at, isTouched) {
    this.from = focusedNow();
    this.wanted = isTouched ? null : at;
    if (this.data.bookmarks.some((each) => each.at === at)) return this.focusOnNew();
    this.tell();
    this.ask({ at, note: "", isNew: true });
  }

  focusOnNew() {
    const place = this.data.bookmarks.findIndex((each) => each.at === this.wanted);
    if (place < 0) return;
    this.wanted = null;
    this.fields[place].focus();
  }

  item({ at, clock, note }) {
    const made = element("li");
    const field = this.noteField(at, clock, note);
    made.append(this.link(at, clock), field, this.removal(at, clock, field));
    return made;
  }

  link(at, clock) {
    const place = element("a", "", clock);
    place.href = `?${new URLSearchParams({ id: this.data.recording, t: at })}`;
    place.setAttribute("aria-label", `Play from ${clock}`);
    place.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      const asked = new CustomEvent("echostream-goto", { detail: { at }, cancelable: true });
      if (!window.dispatchEvent(asked)) event.preventDefault(); // the player is there, and has heard
    };
    return place;
  }

  noteField(at, clock, note) {
    const field = element("input");
    Object.assign(field, { type: "text", value: note, placeholder: "Note", maxLength: 1000 });
    field.setAttribute("aria-label", `Note at ${clock}`);
    field.onchange = () => this.ask({ at, note: field.value });
    // The player and Streamlit have shortcuts of their own.
    field.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key !== "Enter") return;
      field.blur();
      if (this.from?.isConnected) this.from.focus({ preventScroll: true });
      this.from = null;
    };
    return field;
  }

  removal(at, clock, field) {
    const remove = button("remove", "×");
    remove.setAttribute("aria-label", `Remove the bookmark at ${clock}`);
    remove.onclick = () => {
      const note = field.value;
      const undo = button("undo", "Undo");
      undo.onclick = () => {
        this.tell();
        this.wanted = at;
        this.ask({ at, note, isNew: true });
      };
      this.tell(`Removed the bookmark at ${clock}.`, undo);
      this.ask({ at, note: null });
      undo.focus();
    };
    return remove;
  }

  tell(text = "", ...more) {
    this.told.replaceChildren(text, ...(more.length ? [" ", ...more] : []));
  }
}

/** What has the focus on the page, also within another component. */
function focusedNow() {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found === document.body ? null : found;
}

export default function ({ parentElement, data, setTriggerValue }) {
  let bookmarks = marked.get(parentElement);
  if (!bookmarks) {
    bookmarks = new Bookmarks(parentElement);
    marked.set(parentElement, bookmarks);
  }
  bookmarks.update(data, setTriggerValue);
  return () => {
    marked.delete(parentElement);
    bookmarks.close();
  };
}
