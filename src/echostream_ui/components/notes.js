// Summary, lists and sections of the insights: each statement is edited, removed and added here. The
// server keeps what the user writes beside what was generated, and answers with all as it is then.

const shownNotes = new WeakMap();
const SUMMARY = "summary";
const LABEL_CHARS = 80;

class Notes {
  constructor(root) {
    Object.assign(this, { root, body: root.querySelector(".notes"), editors: new Map(), undoing: [] });
    this.requests = new Requests((change) => this.trigger("edit", change));
    this.body.addEventListener("keydown", (event) => event.stopPropagation()); // others have shortcuts
    this.warn = (event) => typedNotes.size && event.preventDefault();
    window.addEventListener("beforeunload", this.warn);
  }

  close() {
    window.removeEventListener("beforeunload", this.warn);
  }

  update(data, trigger) {
    this.trigger = trigger;
    if (data.generation !== this.generation) {
      // Newer insights: what was done to the ones before cannot be undone in them.
      Object.assign(this, { generation: data.generation, told: null, undoing: [] });
    }
    const text = JSON.stringify([data.generation, data.parts, data.topics]);
    if (text !== this.text) {
      Object.assign(this, { text, data });
      this.show();
    }
    this.requests.onReply(data.reply);
  }

  /** Show everything. Statements that are being edited stay as they are. */
  show() {
    const focused = this.root.activeElement;
    const isFull = ({ part, points, isWritten }) =>
      points.length || isWritten || this.editors.has(this.key(part, "")) || this.told?.part === part;
    const empty = this.data.parts.filter((each) => !isFull(each));
    const shown = this.data.parts.filter(isFull).map((each) => this.section(each));
    this.body.replaceChildren(...shown, ...(empty.length ? [this.more(empty)] : []));
    if (this.data.topics.length) {
      const topics = element("ul", "topics");
      topics.setAttribute("aria-label", "Topics");
      topics.append(...this.data.topics.map((each) => element("li", "", each)));
      const summary = this.body.querySelector(".summary");
      if (summary) summary.after(topics);
      else this.body.prepend(topics);
    }
    if (focused?.isConnected) focused.focus();
  }

  key(part, text) {
    return JSON.stringify([this.data.recording, part, text]);
  }

  section(given) {
    const { part, heading, points } = given;
    const section = element("section", part === SUMMARY ? SUMMARY : "");
    section.dataset.part = part;
    const list = element(part === SUMMARY ? "div" : "ul", "points");
    if (heading) list.setAttribute("aria-label", heading);
    list.append(...points.map((point, place) => this.statement(given, point, place)));
    const added = this.editor(given, "", points.length);
    if (added) list.append(added);
    section.append(this.head(given), list);
    if (this.told?.part === part) section.append(this.notice());
    return section;
  }

  head(given) {
    const { part, heading, isWritten, earlier } = given;
    const head = element("div", "head");
    if (heading) head.append(element("h2", "", heading));
    const add = (name, text, title, onClick) => {
      const made = button(`small ${name}`, text);
      made.title = title;
      made.setAttribute("aria-label", `${heading ?? "Summary"}: ${title}`);
      made.addEventListener("click", onClick);
      head.append(made);
    };
    if (isWritten) {
      head.append(element("span", "mark", "Edited"));
      add("generated", "Use the generated text", "Use the generated text", () => this.ask(given, null, "Back to the generated text."));
    }
    const isSame = earlier && JSON.stringify(earlier.map(({ text }) => text)) === JSON.stringify(textsOf(given));
    if (earlier && !isSame)
      add("earlier", "Use my earlier text", "Use what you had written before", () => this.ask(given, earlier, "Your text is back."));
    if (part !== SUMMARY || !given.points.length) add("add", "Add", "Add", () => this.open(given, "", given.points.length));
    return head;
  }

  statement(given, point, place) {
    const { part } = given;
    const row = element(part === SUMMARY ? "div" : "li", "statement");
    const editor = this.editor(given, point.text, place);
    if (editor) {
      row.append(editor);
      return row;
    }
    const tool = (name, title, onClick) => {
      const made = button(`icon ${name}`, "");
      made.title = title;
      made.dataset.key = this.key(part, point.text);
      made.setAttribute("aria-label", `${title}: ${point.text.slice(0, LABEL_CHARS)}`);
      made.addEventListener("click", onClick);
      return made;
    };
    const tools = element("span", "tools");
    tools.append(
      tool("edit", "Edit", () => this.open(given, point.text, place)),
      tool("remove", "Remove", () => this.ask(given, given.points.toSpliced(place, 1), "Removed.")),
    );
    const places = point.places.map((each) => placeButton(each, () => goTo(each.line)));
    places.forEach((each) => each.classList.add("place"));
    row.append(element("span", "text", point.text), ...places, tools);
    return row;
  }

  /** The editor of a statement if it is open, or if something was being typed when the page went. */
  editor(given, text, place) {
    const key = this.key(given.part, text);
    if (!this.editors.has(key) && typedNotes.has(key)) this.make(given, text, place);
    const editor = this.editors.get(key);
    // Of statements with the same words, only the one where it was opened.
    if (!editor || (editor.place !== place && given.points[editor.place]?.text === text)) return null;
    editor.place = place;
    return editor.form;
  }

  make(given, text, place) {
    const key = this.key(given.part, text);
    const label = given.heading ?? "Summary";
    const editor = new StatementEditor(key, text, {
      label: text ? `Text of: ${label}` : `Add to: ${label}`,
      isLong: given.part === SUMMARY,
      onSave: (typed, onError) => this.save(given.part, text, editor.place, typed, onError),
      onClose: () => {
        this.editors.delete(key);
        this.show();
        this.focusOn(key, given.part);
      },
    });
    editor.place = place;
    this.editors.set(key, editor);
    return editor;
  }

  open(given, text, place) {
    const editor = this.editors.get(this.key(given.part, text)) ?? this.make(given, text, place);
    this.show();
    editor.field.focus();
  }

  save(part, text, place, typed, onError) {
    const given = this.data.parts.find((each) => each.part === part);
    if (!given) return onError("This section is gone meanwhile.");
    const point = given.points[place];
    if (text && point?.text !== text) return onError("This has been changed meanwhile.");
    const written = typed ? [{ text: typed, evidence: text ? point.evidence : [] }] : [];
    const points = given.points.toSpliced(place, text ? 1 : 0, ...written);
    const key = this.key(part, text);
    const onKept = () => {
      typedNotes.delete(key);
      this.editors.delete(key);
    };
    this.ask(given, points, text ? (typed ? "Saved." : "Removed.") : "Added.", { onKept, onError, typed });
  }

  /** Ask the server for the statements of a part from now on; null for the generated ones. */
  ask(given, points, told, { onKept = () => {}, onError, typed } = {}) {
    const { part, isWritten } = given;
    const before = isWritten ? given.points : null;
    this.requests.ask({ part, points, before: textsOf(given) }, ({ error }) => {
      if (error) return onError ? onError(error) : this.tell(part, error, true);
      onKept();
      if (told !== "Undone.") this.undoing.push({ part, before });
      this.tell(part, told);
      this.focusOn(typed && this.key(part, typed), part);
    });
  }

  undo() {
    const step = this.undoing.pop();
    const given = this.data.parts.find((each) => each.part === step?.part);
    if (given) this.ask(given, step.before, "Undone.", { onError: (error) => this.tell(step.part, error, true) });
  }

  tell(part, text, isError = false) {
    this.told = { part, text, isError };
    this.show();
  }

  /** What was done, and a way back. */
  notice() {
    const { text, isError } = this.told;
    const made = element("p", isError ? "problem" : "told", text);
    made.setAttribute("role", isError ? "alert" : "status");
    if (this.undoing.length && !isError) {
      const undo = button("small undo", "Undo");
      undo.addEventListener("click", () => this.undo());
      made.append(" ", undo);
    }
    return made;
  }

  /** Parts in which nothing was found, to be begun by hand. */
  more(empty) {
    const row = element("p", "more", "Nothing yet in: ");
    for (const given of empty) {
      const begin = button("small begin", given.heading ?? "Summary");
      begin.setAttribute("aria-label", `Add to: ${given.heading ?? "Summary"}`);
      begin.addEventListener("click", () => this.open(given, "", 0));
      row.append(begin, " ");
    }
    return row;
  }

  /** The button of a statement, else what takes a change back, else what adds one. */
  focusOn(key, part) {
    const section = [...this.body.querySelectorAll("section")].find((each) => each.dataset.part === part);
    const own = [...(section?.querySelectorAll(".icon.edit") ?? [])].find((each) => each.dataset.key === key);
    (own ?? section?.querySelector(".undo, .add, .icon.edit") ?? this.body.querySelector("button"))?.focus();
  }
}

function textsOf({ points }) {
  return points.map(({ text }) => text);
}

export default function ({ parentElement, data, setTriggerValue }) {
  let notes = shownNotes.get(parentElement);
  if (!notes) {
    notes = new Notes(parentElement);
    shownNotes.set(parentElement, notes);
  }
  notes.update(data, setTriggerValue);
  return () => {
    shownNotes.delete(parentElement);
    notes.close();
  };
}
