// Who speaks a line: another name for somebody everywhere, or another speaker for this line alone. A
// name that somebody else has makes the two one.

const LONGEST_NAME = 100;

class Naming {
  /** `opener` is the button that was pressed, to which the focus returns. */
  constructor(player, line, opener) {
    Object.assign(this, { player, line, opener });
    this.box = element("div", "naming");
    this.box.setAttribute("role", "dialog");
    this.box.setAttribute("aria-label", `Speaker at ${clock(line.start)}`);
    this.field = element("input");
    this.field.maxLength = LONGEST_NAME;
    this.field.value = line.speaker ?? "";
    this.field.setAttribute("aria-label", "Name of the speaker");
    this.everywhere = button("everywhere", "Rename everywhere");
    this.here = button("here", "Only this line");
    this.cancel = button("cancel", "Cancel");
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.box.append(this.field, ...this.others(), this.everywhere, this.here, this.cancel, this.problem);
    this.listen();
    this.show();
    line.who.after(this.box);
    this.field.focus({ preventScroll: true });
    this.field.select();
  }

  /** Buttons with the names of the others, to choose one of them. */
  others() {
    const names = new Set(this.player.lines.map((line) => line.speaker).filter(Boolean));
    names.delete(this.line.speaker);
    this.names = names;
    if (!names.size) return [];
    const group = element("div", "others");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Other speakers");
    for (const name of names) {
      const one = button("other", name);
      one.addEventListener("click", () => {
        this.field.value = name;
        this.show();
        this.here.focus();
      });
      group.append(one);
    }
    return [group];
  }

  listen() {
    this.field.addEventListener("input", () => this.show());
    this.everywhere.addEventListener("click", () => this.submit(true));
    this.here.addEventListener("click", () => this.submit(false));
    this.cancel.addEventListener("click", () => this.close());
    this.box.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    event.stopPropagation(); // the player and Streamlit have shortcuts of their own
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.field && !event.isComposing) {
      event.preventDefault();
      this.submit(Boolean(this.line.speaker));
    }
  }

  get name() {
    return this.field.value.split(/\s+/).filter(Boolean).join(" ");
  }

  get isNew() {
    return Boolean(this.name) && this.name !== this.line.speaker;
  }

  /** The buttons say what they would do with the name as it is typed. */
  show() {
    const { speaker } = this.line;
    const isMerge = this.names.has(this.name);
    this.everywhere.hidden = !speaker;
    this.everywhere.textContent = isMerge ? `Merge ${speaker} with ${this.name}` : "Rename everywhere";
    this.everywhere.disabled = this.here.disabled = !this.isNew || this.isBusy;
    this.field.disabled = this.cancel.disabled = Boolean(this.isBusy);
  }

  submit(everywhere) {
    if (!this.isNew) return this.close();
    const { line, name } = this;
    const said = everywhere ? `${line.speaker} is ${name} everywhere.` : `This line is ${name}'s.`;
    this.isBusy = true;
    this.problem.textContent = "";
    this.show();
    this.player.edits.ask(line.id, { speaker: { line: line.id, name, everywhere } }, (error) => {
      this.isBusy = false;
      this.show();
      this.problem.textContent = error ?? "";
      if (error) return this.field.focus();
      this.close();
      this.player.tell(said);
    });
  }

  close() {
    this.box.remove();
    this.player.naming = null;
    const { opener, player, line } = this;
    player.setStop(player.lines.indexOf(line));
    // The name may have gone, because the line before is of the same speaker now.
    (opener.getClientRects().length ? opener : line.body).focus({ preventScroll: true });
  }
}
