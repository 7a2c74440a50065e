// The editor of a line's text. What is typed is a draft of the recording's memory until it is saved
// or, after a question, discarded.

class Editor {
  constructor(edits, line) {
    Object.assign(this, { edits, line, drafts: edits.memory.drafts });
    this.form = element("form", "editor");
    this.field = element("textarea");
    this.field.value = this.drafts.get(line.id) ?? line.text;
    this.field.rows = Math.min(8, 2 + Math.floor(line.text.length / 70));
    this.field.setAttribute("aria-label", `Text at ${clock(line.start)}`);
    this.saveButton = button("save", "Save");
    this.cancelButton = button("cancel", "Cancel");
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.form.append(this.field, this.saveButton, this.cancelButton, this.problem);
    this.listen();
    line.item.classList.add("editing");
    line.item.append(this.form);
  }

  listen() {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.saveButton.addEventListener("click", () => this.submit());
    this.cancelButton.addEventListener("click", () => this.leave());
    this.field.addEventListener("input", () => this.onInput());
    this.form.addEventListener("keydown", (event) => this.onKey(event));
  }

  get typed() {
    return this.field.value.split(/\s+/).filter(Boolean).join(" ");
  }

  onInput() {
    this.stay();
    if (this.typed === this.line.text) this.drafts.delete(this.line.id);
    else this.drafts.set(this.line.id, this.field.value);
  }

  onKey(event) {
    event.stopPropagation(); // the player and Streamlit have shortcuts of their own
    if (event.key === "Enter" && event.target === this.field && !event.isComposing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.isAsking) {
      this.stay();
      this.field.focus();
    } else if (event.key === "Escape") this.leave();
  }

  /** Close, but ask first if that would lose something. */
  leave() {
    if (this.typed === this.line.text || this.isAsking) return this.close();
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
    const text = this.typed;
    if (text === this.line.text) return this.close();
    this.stay();
    this.setBusy(true);
    this.edits.askTexts([{ id: this.line.id, text }], (error) => {
      if (!error) return this.close();
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
    this.drafts.delete(this.line.id);
    this.form.remove();
    this.line.item.classList.remove("editing");
    const { player } = this.edits;
    player.focus(player.lines.indexOf(this.line));
  }
}
