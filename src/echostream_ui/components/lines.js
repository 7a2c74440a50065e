// The transcript's lines on the page. Texts are only ever set as text, never as HTML.

const UNSURE = 60;

/** One segment: `<li>` with its speaker, the line itself, buttons to change the speaker and the text,
 * and a badge if the text was edited. The speaker is no part of the line, which is a button itself. Its
 * words are `[begin, end, milliseconds, percent]` each: characters of the text, when the word is
 * said, and how sure the engine was. */
class Line {
  constructor(row) {
    this.take(row);
    Object.assign(this, { marks: [], shown: null, spans: [], hasWords: false, said: -1 });
    const at = clock(this.start);
    this.item = element("li");
    this.body = element("div", "line");
    this.body.tabIndex = -1;
    this.time = element("span", "time", at);
    this.textPart = element("span", "text");
    this.edit = button("edit", "");
    this.edit.tabIndex = -1;
    this.edit.title = "Edit the text (E)";
    this.edit.setAttribute("aria-label", `Edit the text at ${at}`);
    this.who = element("div", "who");
    this.name = button("speaker", "");
    this.who.append(this.name);
    this.whose = button("whose", "");
    for (const each of [this.name, this.whose]) {
      each.tabIndex = -1;
      each.title = "Change the speaker (S)";
      each.setAttribute("aria-haspopup", "dialog");
    }
    this.whose.setAttribute("aria-label", `Change the speaker at ${at}`);
    this.copy = button("copy", "");
    this.copy.tabIndex = -1;
    this.copy.title = "Copy the line with its time (C)";
    this.copy.setAttribute("aria-label", `Copy the line at ${at}`);
    this.tools = [this.whose, this.copy, this.edit];
    this.item.append(this.who, this.body, ...this.tools);
    if (matchMedia("(hover: none)").matches) this.addMore(at);
    this.show();
  }

  /** Where nobody can point at a line, one button shows what can be done with it. */
  addMore(at) {
    const more = button("more", "⋯");
    more.setAttribute("aria-label", `More for the line at ${at}`);
    more.setAttribute("aria-expanded", "false");
    more.tabIndex = -1;
    more.addEventListener("click", (event) => {
      event.stopPropagation(); // the line itself would play
      const isOpen = this.item.classList.toggle("opened");
      more.setAttribute("aria-expanded", String(isOpen));
    });
    this.body.after(more);
    this.tools.push(more);
  }

  take([id, start, end, text, original, speaker, voice, words]) {
    Object.assign(this, { id, start, end, text, original, speaker, voice, words });
  }

  /** Take over what the server says now. */
  set(row) {
    const before = [this.text, this.original, this.speaker, this.voice];
    this.take(row);
    if ([this.text, this.original, this.speaker, this.voice].every((each, i) => each === before[i])) return;
    this.item.querySelector(".original")?.remove();
    this.shown = null;
    this.show();
  }

  get isEdited() {
    return this.original !== null;
  }

  show() {
    this.body.replaceChildren(this.time, this.textPart);
    this.item.classList.toggle("has-speaker", Boolean(this.speaker));
    this.name.textContent = this.speaker ?? "";
    this.name.style.setProperty("--voice", this.voice);
    this.name.setAttribute("aria-label", `${this.speaker}: change the speaker at ${clock(this.start)}`);
    this.mark([]);
    this.badge?.remove();
    this.badge = null;
    if (!this.isEdited) return;
    this.badge = button("edited", "Edited");
    this.badge.setAttribute("aria-expanded", "false");
    this.badge.setAttribute("aria-label", `Edited: show the original text at ${clock(this.start)}`);
    this.item.insertBefore(this.badge, this.whose);
  }

  /** Mark stretches of the text, `[start, end, isCurrent]` each. */
  mark(marks) {
    if (!marks.length && !this.marks.length && this.shown === this.text) return;
    this.marks = marks;
    this.draw();
  }

  /** Make each word an element of its own, to be chosen and marked: only where somebody looks, since
   * there may be tens of thousands. */
  showWords() {
    if (this.hasWords || !this.words.length) return;
    this.hasWords = true;
    this.draw();
  }

  draw() {
    this.shown = this.text;
    this.spans = [];
    const parts = [];
    let at = 0;
    for (const [begin, end, , sure] of this.hasWords ? this.words : []) {
      const span = element("span", sure < UNSURE ? "word unsure" : "word");
      span.append(...this.cut(begin, end));
      if (sure < UNSURE) span.title = `Recognised with ${sure}% certainty`;
      this.spans.push(span);
      parts.push(...this.cut(at, begin), span);
      at = end;
    }
    this.textPart.replaceChildren(...parts, ...this.cut(at, this.text.length));
    this.textPart.classList.toggle("empty", !this.text);
    if (!this.text) this.textPart.textContent = "(no text)";
    this.spans[this.said]?.classList.add("said");
  }

  /** Part of the text, with what is marked in it. */
  cut(from, to) {
    const parts = [];
    for (const [start, end, isCurrent] of this.marks) {
      if (end <= from || start >= to) continue;
      parts.push(this.text.slice(from, Math.max(from, start)));
      parts.push(element("mark", isCurrent ? "here" : "", this.text.slice(Math.max(from, start), Math.min(to, end))));
      from = Math.min(to, end);
    }
    parts.push(this.text.slice(from, to));
    return parts.filter((part) => part !== "");
  }

  /** Mark the word that is said at this time; none without a time. */
  say(time_s) {
    const ms = time_s === null ? -1 : time_s * 1000;
    const said = this.words.findLastIndex(([, , start]) => start <= ms);
    if (said === this.said) return;
    if (said >= 0) this.showWords();
    this.spans[this.said]?.classList.remove("said");
    this.spans[said]?.classList.add("said");
    this.said = said;
  }

  /** The line as it is written elsewhere: `[3:12] Ann: We ship on Friday.` */
  get quote() {
    return `[${clock(this.start)}] ${this.speaker ? `${this.speaker}: ` : ""}${this.text}`;
  }

  /** When the word of this element begins, in seconds; null if it is none of ours. */
  startOf(span) {
    const place = this.spans.indexOf(span);
    return place < 0 ? null : this.words[place][2] / 1000;
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
    if (!isCurrent) this.say(null);
  }

  /** Whether the line before has the same speaker, whose name then need not stand here again. */
  setGoesOn(goesOn) {
    this.item.classList.toggle("goes-on", goesOn);
  }

  setTabStop(isStop) {
    for (const each of [this.name, this.body, ...this.tools]) each.tabIndex = isStop ? 0 : -1;
  }
}

/** The place of the line that is said at this time, or was said last; -1 before the first. */
function indexAt(lines, time_s) {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].start <= time_s) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
