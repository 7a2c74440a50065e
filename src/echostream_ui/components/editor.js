// The editor of a line's text. Its draft belongs to the recording's memory.

class Editor extends TextEditor {
  constructor(edits, line) {
    super(line.text, {
      drafts: edits.memory.drafts,
      key: line.id,
      label: `Text at ${clock(line.start)}`,
      rows: Math.min(8, 2 + Math.floor(line.text.length / 70)),
    });
    Object.assign(this, { edits, line });
    line.item.classList.add("editing");
    line.item.append(this.form);
  }

  /** It may change meanwhile, in another window. */
  get original() {
    return this.line.text;
  }

  get typed() {
    return this.field.value.split(/\s+/).filter(Boolean).join(" ");
  }

  onKey(event) {
    event.stopPropagation(); // the player and Streamlit have shortcuts of their own
    super.onKey(event);
  }

  save(text) {
    this.edits.askTexts([{ id: this.line.id, text }], (error) => (error ? this.fail(error) : this.close()));
  }

  closed() {
    this.form.remove();
    this.line.item.classList.remove("editing");
    const { player } = this.edits;
    player.focus(player.lines.indexOf(this.line));
  }
}
