// Find in the transcript: all matches are counted, and marked in as many lines as stay quick.

const MOST_MARKED_LINES = 1000;
const TYPING_MS = 120;

class Find {
  constructor(root, player) {
    this.player = player;
    this.input = root.querySelector(".find input");
    this.count = root.querySelector(".count");
    this.buttons = [root.querySelector(".previous"), root.querySelector(".next")];
    this.matches = [];
    this.at = 0;
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.run(true), TYPING_MS);
    });
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.buttons[0].addEventListener("click", () => this.step(-1));
    this.buttons[1].addEventListener("click", () => this.step(1));
  }

  onKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && this.input.value) {
      event.preventDefault();
      this.input.value = "";
      this.run(false);
    }
  }

  /** Look for what the page was opened with, from a time on if there is one. */
  begin(query, from_s) {
    this.input.value = query;
    this.run(true);
    const { lines } = this.player;
    const at = this.matches.findIndex(([index]) => lines[index].end > (from_s ?? 0));
    if (at > 0) {
      this.at = at;
      this.show(true);
    }
  }

  /** Look again, since the query or the lines have changed; `go` to the first match. */
  run(go) {
    const query = this.input.value.trim();
    this.query = query;
    this.matches = [];
    if (query) {
      const pattern = new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
      this.player.lines.forEach((line, index) => {
        for (const found of line.text.matchAll(pattern)) {
          this.matches.push([index, found.index, found.index + found[0].length]);
        }
      });
    }
    if (go || this.at >= this.matches.length) this.at = 0;
    this.show(go);
  }

  /** Whether another query has been typed since. */
  get isStale() {
    return this.input.value.trim() !== this.query;
  }

  step(by) {
    if (this.isStale) {
      clearTimeout(this.timer);
      this.run(true);
    } else if (this.matches.length) {
      this.at = (this.at + by + this.matches.length) % this.matches.length;
      this.show(true);
    }
  }

  show(go) {
    const byLine = new Map();
    this.matches.forEach(([index, start, end], number) => {
      const isCurrent = number === this.at;
      if (byLine.size >= MOST_MARKED_LINES && !byLine.has(index) && !isCurrent) return;
      if (!byLine.has(index)) byLine.set(index, []);
      byLine.get(index).push([start, end, isCurrent]);
    });
    this.player.lines.forEach((line, index) => line.mark(byLine.get(index) ?? []));
    const total = this.matches.length;
    this.count.textContent = total ? `${this.at + 1} of ${total}` : this.query ? "No match" : "";
    for (const each of this.buttons) each.disabled = !total;
    this.onShow?.();
    if (go && total) this.player.lookAt(this.matches[this.at][0]);
  }
}
