"""How much of a page moves while it opens, without its user having done anything."""

# The largest sum of shifts within five seconds that are less than one apart, as web.dev defines
# Cumulative Layout Shift. A shift right after a click is the user's own and does not count.
WATCH = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) {
    if (!each.hadRecentInput) window.shifts.push([each.startTime, each.value]);
  }
}).observe({ type: "layout-shift", buffered: true });
window.worstShift = () => {
  let [worst, sum, begun, last] = [0, 0, -Infinity, -Infinity];
  for (const [time, value] of window.shifts) {
    if (time - last > 1000 || time - begun > 5000) [sum, begun] = [0, time];
    sum += value;
    last = time;
    worst = Math.max(worst, sum);
  }
  return worst;
};
"""

# A page has opened when the script has run and what the reader came for is there.
OPENED = """(wanted) => {
  const app = document.querySelector("[data-testid=stApp]");
  if (app?.dataset.testScriptState !== "notRunning") return false;
  const components = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
  const isThere = [document, ...components].some((root) => root?.querySelector(wanted));
  return isThere ? performance.now() : false;
}"""

WORST_SHIFT = "worstShift()"
