// Editing a line's text. The server is asked to keep it, and answers with the lines as they are
// then, and with an error in words if it could not: what was typed is never lost before that.

class Edits {
  constructor(player) {
    this.player = player;
    this.pending = null;
    this.asked = 0;
  }

  /** Ask the server; `settle` is called with its error, null if all is well. A text of null is
   * the original one. */
  ask(line, text, settle) {
    const nonce = `${Date.now()}-${++this.asked}`;
    this.pending = { nonce, settle };
    this.player.trigger("edit", { nonce, id: line.id, text });
  }

  onReply(reply) {
    if (!reply || reply.nonce !== this.pending?.nonce) return;
    const { settle } = this.pending;
    this.pending = null;
    settle(reply.error);
  }

  open(line) {
    if (line.item.querySelector(".editor")) return;
    const form = element("form", "editor");
    const field = element("textarea");
    field.value = line.text;
    field.rows = Math.min(8, 2 + Math.floor(line.text.length / 70));
    field.setAttribute("aria-label", `Text at ${clock(line.start)}`);
    const save = button("save", "Save");
    const cancel = button("cancel", "Cancel");
    const problem = element("p", "problem");
    problem.setAttribute("role", "alert");
    form.append(field, save, cancel, problem);
    line.item.classList.add("editing");
    line.item.append(form);

    const close = () => {
      form.remove();
      line.item.classList.remove("editing");
      this.player.focus(this.player.lines.indexOf(line));
    };
    const submit = () => {
      const text = field.value.split(/\s+/).filter(Boolean).join(" ");
      if (text === line.text) return close();
      field.disabled = save.disabled = cancel.disabled = true;
      save.textContent = "Saving…";
      this.ask(line, text, (error) => {
        if (!error) return close();
        field.disabled = save.disabled = cancel.disabled = false;
        save.textContent = "Save";
        problem.textContent = error;
        field.focus();
      });
    };
    save.addEventListener("click", submit);
    cancel.addEventListener("click", close);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        submit();
      } else if (event.key === "Escape") close();
    });
    field.focus({ preventScroll: true });
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
      this.ask(line, null, (error) => {
        revert.disabled = false;
        problem.textContent = error ?? "";
        if (!error) this.player.focus(this.player.lines.indexOf(line));
      });
    });
    line.item.append(note);
  }
}
