// The live text on the page: lines with a time each, and a name where the speaker changes. Text is
// only ever added. A name that comes later may part a line in two, but moves no word to another place.

const LONG_ENOUGH = 120;
const PAUSE_MS = 2_000;
const SENTENCE_END = /[.?!…。？！]["'”’»)]*\s*$/;

/** One line: pieces `{seq, startMs, endMs, speaker, part}`, each with its text as an element. */
class LiveLine {
  constructor() {
    this.pieces = [];
    this.item = made("li", "line");
    this.item.tabIndex = -1;
    this.time = made("span", "time");
    this.name = made("span", "speaker");
    this.said = made("span", "said");
    this.name.hidden = true;
    this.item.append(this.time, this.name, this.said);
  }

  get startMs() {
    return this.pieces[0]?.startMs ?? Infinity;
  }

  get endMs() {
    return this.pieces.at(-1)?.endMs ?? Infinity;
  }

  /** The first name that is known: a piece without one goes with the pieces beside it. */
  get speaker() {
    return this.pieces.find(({ speaker }) => speaker)?.speaker ?? null;
  }

  get isFull() {
    const text = this.said.textContent;
    return text.length >= LONG_ENOUGH && SENTENCE_END.test(text);
  }

  take(...pieces) {
    this.pieces.push(...pieces);
    this.said.append(...pieces.map(({ part }) => part));
    this.time.textContent = clock(this.startMs);
  }

  /** Give up the pieces from the first that somebody else says; none if one person says all. */
  cut() {
    const { speaker } = this;
    const place = this.pieces.findIndex((piece) => piece.speaker && piece.speaker !== speaker);
    return place < 0 ? [] : this.pieces.splice(place);
  }

  /** A name stands only where it is another one than in the line before. */
  show(before) {
    const name = this.speaker;
    say(this.name, name ?? "");
    this.name.hidden = !name || name === before;
  }
}

class LiveText {
  constructor(list) {
    this.list = list;
    this.tail = made("span", "tentative");
    this.tail.setAttribute("aria-hidden", "true");
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.lines = [];
    this.places = new Map();
  }

  add([seq, startMs, endMs, text]) {
    const last = this.lines.at(-1);
    const isApart = last?.pieces.length && startMs - last.endMs > PAUSE_MS;
    const line = isApart ? this.open() : this.lineForMore();
    const piece = { seq, startMs, endMs, speaker: null, part: made("span", "piece", text) };
    line.take(piece);
    this.places.set(seq, { piece, line });
  }

  /** The text after the confirmed one, which may still change. */
  expect(text) {
    this.tail.textContent = text && ` ${text}`;
    if (text) return this.lineForMore().item.append(this.tail);
    this.tail.remove();
    if (this.lines.at(-1)?.pieces.length === 0) this.lines.pop().item.remove();
  }

  lineForMore() {
    const last = this.lines.at(-1);
    return !last || last.isFull ? this.open() : last;
  }

  open(place = this.lines.length) {
    const line = new LiveLine();
    if (place === 0) this.list.prepend(line.item);
    else this.lines[place - 1].item.after(line.item);
    this.lines.splice(place, 0, line);
    return line;
  }

  name([seq, speaker]) {
    const found = this.places.get(seq);
    if (!found) return;
    found.piece.speaker = speaker;
    let { line } = found;
    for (let rest = line.cut(); rest.length; rest = line.cut()) {
      line = this.open(this.lines.indexOf(line) + 1);
      line.take(...rest);
      rest.forEach((piece) => (this.places.get(piece.seq).line = line));
    }
    if (this.tail.isConnected && this.lines.at(-1) !== found.line) this.lines.at(-1).item.append(this.tail);
  }

  showNames() {
    this.lines.forEach((line, i) => line.show(this.lines[i - 1]?.speaker));
  }

  /** The line of a moment; the one before it if nothing is said then. */
  at(ms) {
    return this.lines.findLast((line) => line.startMs <= ms) ?? this.lines[0];
  }
}
