// What stands beside the live text: the user's bookmarks, and the insights so far.

function placeButton(ms, onClick, what) {
  const place = made("button", "place", clock(ms));
  place.type = "button";
  place.setAttribute("aria-label", `${what} ${clock(ms)}`);
  place.onclick = onClick;
  return place;
}

/** The bookmarks of a recording, each with a note that can be written while it goes on. */
class BookmarkList {
  constructor(section, { onGo, onNote, onRemove, onDone }) {
    Object.assign(this, { section, onGo, onNote, onRemove, onDone });
    this.list = section.querySelector("ul");
    this.items = new Map();
  }

  show(bookmarks, isOpen) {
    const ids = new Set(bookmarks.map(({ id }) => id));
    for (const [id, item] of this.items) {
      if (ids.has(id)) continue;
      item.remove();
      this.items.delete(id);
    }
    for (const bookmark of bookmarks) {
      if (!this.items.has(bookmark.id)) this.list.append(this.add(bookmark));
    }
    this.section.hidden = bookmarks.length === 0;
    if (isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    this.list.querySelectorAll("input").forEach((note) => (note.readOnly = !isOpen));
    this.list.querySelectorAll(".remove").forEach((remove) => (remove.hidden = !isOpen));
  }

  add(bookmark) {
    const ms = 1000 * bookmark.at;
    const item = document.createElement("li");
    const note = made("input", "note");
    Object.assign(note, { type: "text", maxLength: 1000, placeholder: "Note", value: bookmark.note });
    note.setAttribute("aria-label", `Note at ${clock(ms)}`);
    note.oninput = () => this.onNote(bookmark, note.value);
    note.onkeydown = (event) => {
      event.stopPropagation(); // Streamlit has shortcuts of its own
      if (event.key !== "Enter") return;
      event.preventDefault(); // or it would press the button that gets the focus
      this.onDone();
    };
    const remove = made("button", "remove", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove the bookmark at ${clock(ms)}`);
    remove.onclick = () => {
      this.onRemove(bookmark);
      this.onDone();
    };
    item.append(placeButton(ms, () => this.onGo(ms), "Show the text at"), note, remove);
    this.items.set(bookmark.id, item);
    return item;
  }

  /** Let the user write the note of this bookmark. */
  focus({ id }) {
    this.items.get(id).querySelector("input").focus({ preventScroll: true });
  }
}

/** Action items and decisions. Those that are new with the newest insights are marked. */
class SoFar {
  constructor(section, onGo) {
    Object.assign(this, { section, onGo });
    this.count = section.querySelector(".count");
    this.lists = [
      ["actionItems", section.querySelector(".action-items")],
      ["decisions", section.querySelector(".decisions")],
    ];
    this.clear();
  }

  clear() {
    this.section.hidden = true;
    this.known = new Set();
    this.shown = null;
  }

  show(insights) {
    if (!insights || insights === this.shown) return;
    const isFirst = this.shown === null;
    this.shown = insights;
    let fresh = 0;
    for (const [name, list] of this.lists) {
      const isNew = ({ id }) => !this.known.has(`${name} ${id}`);
      fresh += insights[name].filter(isNew).length;
      list.replaceChildren(...insights[name].map((each) => this.item(each, isNew(each) && !isFirst)));
      list.hidden = list.previousElementSibling.hidden = insights[name].length === 0;
      insights[name].forEach(({ id }) => this.known.add(`${name} ${id}`));
    }
    this.section.hidden = this.known.size === 0;
    say(this.count, fresh ? `${fresh} new` : "");
  }

  item({ text, owner, due, at }, isNew) {
    const item = document.createElement("li");
    if (isNew) item.append(made("span", "new", "New"), " ");
    const known = [owner, due].filter(Boolean).join(", ");
    item.append(known ? `${text} (${known})` : text);
    if (at !== null) item.append(" ", placeButton(1000 * at, () => this.onGo(1000 * at), "Show the evidence at"));
    return item;
  }
}
