// Editing lines' texts. The server is asked to keep them, and answers with the lines as they are
// then, and with an error in words if it could not: what was typed is never lost before that, even if
// the page is left.

class Edits {
  constructor(root, player) {
    this.player = player;
    this.pending = null;
    this.waiting = [];
    this.asked = 0;
    this.undoButton = root.querySelector(".undo");
    this.undoButton.addEventListener("click", () => this.undo());
    this.warn = (event) => this.memory?.drafts.size && event.preventDefault();
    window.addEventListener("beforeunload", this.warn);
  }

  close() {
    window.removeEventListener("beforeunload", this.warn);
  }

  /** Ask the server for changes, `{id, text}` each, of which a text of null is the original one.
   * `settle` is called with its error, null if all is well. The server answers one after the other. */
  ask(changes, settle, { canBeUndone = true } = {}) {
    if (this.pending) return void this.waiting.push([changes, settle, { canBeUndone }]);
    const nonce = `${Date.now()}-${++this.asked}`;
    const lines = new Map(this.player.lines.map((line) => [line.id, line]));
    const before = changes.map(({ id }) => ({ id, text: lines.get(id).isEdited ? lines.get(id).text : null }));
    this.pending = {
      nonce,
      settle: (error) => {
        if (!error && canBeUndone) this.memory.undo.push(before);
        this.showButtons();
        settle(error);
      },
    };
    this.player.trigger("edit", { nonce, changes });
  }

  onReply(reply) {
    if (!reply || reply.nonce !== this.pending?.nonce) return;
    const { settle } = this.pending;
    this.pending = null;
    settle(reply.error);
    const next = this.waiting.shift();
    if (next) this.ask(...next);
  }

  undo() {
    const before = this.memory.undo.pop();
    if (!before) return;
    this.undoButton.disabled = true;
    const settle = (error) => {
      if (error) this.memory.undo.push(before);
      this.showButtons();
      this.player.tell(error ?? "Undone.");
      const index = this.player.lines.findIndex((line) => line.id === before[0].id);
      if (!error) this.player.lookAt(index);
    };
    this.ask(before, settle, { canBeUndone: false });
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
      this.ask([{ id: line.id, text: null }], (error) => {
        revert.disabled = false;
        problem.textContent = error ?? "";
        if (!error) this.player.focus(this.player.lines.indexOf(line));
      });
    });
    line.item.append(note);
  }
}
