// The editor of one statement of the insights. What is typed is kept on the window, so that neither a
// newer page nor another one loses it, until it is saved or, after a question, discarded.

const typedNotes = (window.echostreamNotes ??= new Map());

class StatementEditor {
  /** `onSave` gets the text, and `onClose` is called without one. */
  constructor(key, text, { label, isLong, onSave, onClose }) {
    Object.assign(this, { key, text, onSave, onClose });
    this.form = element("form", "editor");
    this.field = element("textarea");
    this.field.value = typedNotes.get(key) ?? text;
    this.field.rows = Math.min(12, (isLong ? 3 : 2) + Math.floor(text.length / 60));
    this.field.setAttribute("aria-label", label);
    this.saveButton = button("save", "Save");
    this.cancelButton = button("cancel", "Cancel");
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.form.append(this.field, this.saveButton, this.cancelButton, this.problem);
    this.saveButton.addEventListener("click", () => this.submit());
    this.cancelButton.addEventListener("click", () => this.leave());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.field.addEventListener("input", () => this.onInput());
    this.form.addEventListener("keydown", (event) => this.onKey(event, isLong));
  }

  get typed() {
    return this.field.value.trim();
  }

  onInput() {
    this.stay();
    if (this.typed === this.text) typedNotes.delete(this.key);
    else typedNotes.set(this.key, this.field.value);
  }

  /** Enter saves; a summary may have several lines, so there it takes Ctrl or the command key. */
  onKey(event, isLong) {
    const isEnter = event.key === "Enter" && event.target === this.field && !event.isComposing;
    if (isEnter && (isLong ? event.ctrlKey || event.metaKey : !event.shiftKey)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.isAsking) {
      this.stay();
      this.field.focus();
    } else if (event.key === "Escape") this.leave();
  }

  leave() {
    if (this.typed === this.text || this.isAsking) return this.close();
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
    if (this.typed === this.text) return this.close();
    this.stay();
    this.setBusy(true);
    this.onSave(this.typed, (error) => {
      this.setBusy(false);
      this.problem.textContent = error;
      this.field.focus();
    });
  }

  setBusy(isBusy) {
    this.field.disabled = this.saveButton.disabled = this.cancelButton.disabled = isBusy;
    this.saveButton.textContent = isBusy ? "Saving…" : "Save";
  }

  close() {
    typedNotes.delete(this.key);
    this.onClose();
  }
}
