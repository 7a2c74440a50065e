// Opens other pages of this frontend without loading it anew.

/** The address of a page beside this one, under whatever path both are served; `page` is empty for
 *  the library. */
function addressOf(page, query = {}) {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  const folder = location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "") || "/";
  return `${folder}${page}${given.size ? `?${given}` : ""}`;
}

/** Open it as going back in the browser's history would. Streamlit then ends what runs every few
 *  seconds on this page before it asks for the other. If the server changes the page instead, the
 *  browser may just have asked for such a run, and its answer empties the new page. */
function openPage(address) {
  history.pushState(null, "", address);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** Whether the browser itself is to follow a link, into another tab or window. */
function isForBrowser(event) {
  return event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
}
