// The editor of one statement of the insights. Its draft is kept on the window.

const typedNotes = (window.echostreamNotes ??= new Map());

class StatementEditor extends TextEditor {
  /** `onSave` gets the text, and `onClose` is called without one. */
  constructor(key, text, { label, isLong, onSave, onClose }) {
    const rows = Math.min(12, (isLong ? 3 : 2) + Math.floor(text.length / 60));
    super(text, { drafts: typedNotes, key, label, rows });
    Object.assign(this, { isLong, onSave, onClose });
  }

  /** A summary may have several lines, so there it takes Ctrl or the command key. */
  saves(event) {
    return this.isLong ? event.ctrlKey || event.metaKey : !event.shiftKey;
  }

  save(text) {
    this.onSave(text, (error) => this.fail(error));
  }

  closed() {
    this.onClose();
  }
}
