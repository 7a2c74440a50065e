// The transcript's lines on the page. Texts are only ever set as text, never as HTML.

function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function button(className, text) {
  const made = element("button", className, text);
  made.type = "button";
  return made;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = two(whole % 60);
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** One segment: `<li>` with the line itself, a button to edit it, and a badge if it was edited. */
class Line {
  constructor([id, start, text, original, speaker, voice]) {
    Object.assign(this, { id, start, text, original, speaker, voice, marks: [], shown: null });
    this.item = element("li");
    this.body = element("div", "line");
    this.body.tabIndex = -1;
    this.time = element("span", "time", clock(start));
    this.words = element("span", "text");
    this.edit = button("edit", "");
    this.edit.tabIndex = -1;
    this.edit.title = "Edit the text (E)";
    this.edit.setAttribute("aria-label", `Edit the text at ${clock(start)}`);
    this.item.append(this.body, this.edit);
    this.show();
  }

  /** Take over what the server says now. */
  set([id, start, text, original, speaker, voice]) {
    const said = { text, original, speaker, voice };
    if (Object.keys(said).every((name) => this[name] === said[name])) return;
    Object.assign(this, said);
    this.item.querySelector(".original")?.remove();
    this.show();
  }

  get isEdited() {
    return this.original !== null;
  }

  show() {
    this.body.replaceChildren(this.time);
    if (this.speaker) {
      const name = element("span", "speaker", this.speaker);
      name.style.setProperty("--voice", this.voice);
      this.body.append(name);
    }
    this.body.append(this.words);
    this.mark([]);
    this.badge?.remove();
    this.badge = null;
    if (!this.isEdited) return;
    this.badge = button("edited", "Edited");
    this.badge.setAttribute("aria-expanded", "false");
    this.badge.setAttribute("aria-label", `Edited: show the original text at ${clock(this.start)}`);
    this.item.insertBefore(this.badge, this.edit);
  }

  /** Mark stretches of the text, `[start, end, isCurrent]` each. */
  mark(marks) {
    if (!marks.length && !this.marks.length && this.shown === this.text) return;
    Object.assign(this, { marks, shown: this.text });
    const parts = [];
    let from = 0;
    for (const [start, end, isCurrent] of marks) {
      parts.push(this.text.slice(from, start));
      parts.push(element("mark", isCurrent ? "here" : "", this.text.slice(start, end)));
      from = end;
    }
    parts.push(this.text.slice(from));
    this.words.replaceChildren(...parts.filter((part) => part !== ""));
    this.words.classList.toggle("empty", !this.text);
    if (!this.text) this.words.textContent = "(no text)";
  }

  /** Can be played or not; a line that cannot is no button. */
  setPlayable(isPlayable) {
    if (isPlayable) this.body.setAttribute("role", "button");
    else this.body.removeAttribute("role");
  }

  setCurrent(isCurrent) {
    this.item.classList.toggle("current", isCurrent);
    if (isCurrent) this.body.setAttribute("aria-current", "true");
    else this.body.removeAttribute("aria-current");
  }

  setTabStop(isStop) {
    this.body.tabIndex = this.edit.tabIndex = isStop ? 0 : -1;
  }
}
