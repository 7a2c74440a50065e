// Replace what is found in the transcript: one match, or all of them. Each is an edit like any other,
// so that the originals stay and it can be undone.

class Replace {
  constructor(root, player, find) {
    Object.assign(this, { player, find });
    const part = (selector) => root.querySelector(selector);
    this.row = part(".replace");
    this.opener = part(".replacing");
    this.input = part(".replace input");
    this.problem = part(".replace .problem");
    this.buttons = [part(".one"), part(".all")];
    this.opener.addEventListener("click", () => this.toggle());
    this.buttons[0].addEventListener("click", () => this.replace(find.matches.slice(find.at, find.at + 1)));
    this.buttons[1].addEventListener("click", () => this.replace(find.matches));
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        this.buttons[0].click();
      } else if (event.key === "Escape") this.toggle();
    });
    find.onShow = () => this.show();
    this.show();
  }

  toggle() {
    this.row.hidden = !this.row.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.row.hidden));
    (this.row.hidden ? this.find.input : this.input).focus();
  }

  show() {
    const isBusy = Boolean(this.player.edits?.isBusy);
    for (const each of this.buttons) each.disabled = isBusy || !this.find.matches.length;
  }

  replace(matches) {
    if (this.find.isStale) return this.find.step(1); // show first what would be replaced
    if (!matches.length) return;
    const texts = new Map();
    // From the last to the first, so that what comes before keeps its place.
    for (const [index, start, end] of [...matches].reverse()) {
      const text = texts.get(index) ?? this.player.lines[index].text;
      texts.set(index, text.slice(0, start) + this.input.value + text.slice(end));
    }
    const changes = [...texts].map(([index, text]) => ({
      id: this.player.lines[index].id,
      text: text.split(/\s+/).filter(Boolean).join(" "),
    }));
    this.problem.textContent = "";
    this.player.edits.askTexts(changes, (error) => {
      this.problem.textContent = error ?? "";
      this.show();
      if (!error) this.player.tell(matches.length === 1 ? "Replaced once." : `Replaced ${matches.length} times.`);
    });
    this.show();
  }
}
