// Changing the transcript: texts of lines, and who speaks them. What was typed is never lost before the
// server has kept it, even if the page is left.

class Edits {
  constructor(root, player) {
    this.player = player;
    this.requests = new Requests((change) => player.trigger("edit", change), () => this.showButtons());
    this.undoButton = root.querySelector(".undo");
    this.undoButton.addEventListener("click", () => this.undo());
    this.warn = (event) => this.memory?.drafts.size && event.preventDefault();
    window.addEventListener("beforeunload", this.warn);
  }

  close() {
    window.removeEventListener("beforeunload", this.warn);
  }

  get isBusy() {
    return Boolean(this.requests.pending);
  }

  /** Ask the server for a change at a line: `texts`, `{id, text}` each, of which a text of null is the
   * original one, or a `speaker`. `settle` is called with its error, null if all is well. */
  ask(line, change, settle) {
    this.requests.ask(change, ({ error, undo }) => {
      if (!error) this.memory.undo.push({ line, change: undo });
      settle(error);
    });
  }

  askTexts(texts, settle) {
    this.ask(texts[0].id, { texts }, settle);
  }

  onReply(reply) {
    this.requests.onReply(reply);
  }

  undo() {
    const step = this.memory.undo.pop();
    if (!step) return;
    this.undoButton.disabled = true;
    this.requests.ask(step.change, ({ error }) => {
      if (error) this.memory.undo.push(step);
      this.player.tell(error ?? "Undone.");
      if (!error) this.player.lookAt(this.player.lines.findIndex((line) => line.id === step.line));
    });
  }

  showButtons() {
    this.undoButton.disabled = !this.memory.undo.length;
    this.player.replacing.show();
  }

  /** Show again what was being typed when the page was left or drawn anew. */
  restore(memory) {
    this.memory = memory;
    this.showButtons();
    for (const [id, text] of memory.drafts) {
      const line = this.player.lines.find((each) => each.id === id);
      if (!line || line.text === text) memory.drafts.delete(id);
      else if (!line.item.querySelector(".editor")) this.open(line, { isQuiet: true });
    }
  }

  open(line, { isQuiet = false } = {}) {
    if (line.item.querySelector(".editor")) return;
    const editor = new Editor(this, line);
    if (!isQuiet) editor.field.focus({ preventScroll: true });
  }

  /** Show or hide what was recognised. */
  toggleOriginal(line) {
    const shown = line.item.querySelector(".original");
    line.badge.setAttribute("aria-expanded", String(!shown));
    if (shown) return shown.remove();
    const note = element("div", "original");
    note.append(element("span", "label", "Recognised as: "), element("q", "", line.original));
    const revert = button("revert", "Use the original text");
    const problem = element("p", "problem");
    problem.setAttribute("role", "alert");
    note.append(revert, problem);
    revert.addEventListener("click", () => {
      revert.disabled = true;
      this.askTexts([{ id: line.id, text: null }], (error) => {
        revert.disabled = false;
        problem.textContent = error ?? "";
        if (!error) this.player.focus(this.player.lines.indexOf(line));
      });
    });
    line.item.append(note);
  }
}
