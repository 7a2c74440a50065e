// An editor of one text. What is typed is a draft until it is saved or, after a question, discarded:
// neither a newer page nor another one loses it.

class TextEditor {
  /** `drafts` keeps what is typed under `key`. */
  constructor(text, { drafts, key, label, rows }) {
    Object.assign(this, { text, drafts, key });
    this.form = element("form", "editor");
    this.field = element("textarea");
    this.field.value = drafts.get(key) ?? text;
    this.field.rows = rows;
    this.field.setAttribute("aria-label", label);
    this.saveButton = button("save", "Save");
    this.cancelButton = button("cancel", "Cancel");
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.form.append(this.field, this.saveButton, this.cancelButton, this.problem);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.saveButton.addEventListener("click", () => this.submit());
    this.cancelButton.addEventListener("click", () => this.leave());
    this.field.addEventListener("input", () => this.onInput());
    this.form.addEventListener("keydown", (event) => this.onKey(event));
  }

  // What each kind of editor says itself

  /** Save a text. `fail` is to be called with the reason if that does not work, else `close`. */
  save() {}

  /** It is closed, and its draft is gone. */
  closed() {}

  /** The text without what is typed. */
  get original() {
    return this.text;
  }

  get typed() {
    return this.field.value.trim();
  }

  /** Whether Enter, pressed like this, saves. */
  saves() {
    return true;
  }

  // What all have

  onInput() {
    this.stay();
    if (this.typed === this.original) this.drafts.delete(this.key);
    else this.drafts.set(this.key, this.field.value);
  }

  onKey(event) {
    if (event.key === "Enter" && event.target === this.field && !event.isComposing && this.saves(event)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.isAsking) {
      this.stay();
      this.field.focus();
    } else if (event.key === "Escape") this.leave();
  }

  /** Close, but ask first if that would lose something. */
  leave() {
    if (this.typed === this.original || this.isAsking) return this.close();
    this.isAsking = true;
    this.problem.textContent = "Discard what you have typed?";
    this.cancelButton.textContent = "Discard";
    this.cancelButton.focus();
  }

  stay() {
    this.isAsking = false;
    this.problem.textContent = "";
    this.cancelButton.textContent = "Cancel";
  }

  submit() {
    if (this.typed === this.original) return this.close();
    this.stay();
    this.setBusy(true);
    this.save(this.typed);
  }

  fail(reason) {
    this.setBusy(false);
    this.problem.textContent = reason;
    this.field.focus();
  }

  setBusy(isBusy) {
    this.field.disabled = this.saveButton.disabled = this.cancelButton.disabled = isBusy;
    this.saveButton.textContent = isBusy ? "Saving…" : "Save";
  }

  close() {
    this.drafts.delete(this.key);
    this.closed();
  }
}
