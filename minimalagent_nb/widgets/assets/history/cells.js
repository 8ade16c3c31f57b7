// @ts-check
/** A new cell in the notebook that shows a widget; only this file knows how a notebook does it. */

/**
 * Put a cell below the one that shows an element; elsewhere than in JupyterLab and Notebook 7
 * its text goes to the clipboard.
 *
 * JupyterLab's manager of widgets has the notebook's document (`context`), whose shared model
 * is what every view of the notebook shows.
 * @param {any} model of anywidget @param {string} source the new cell's text
 * @param {Element} near an element in the output
 * @returns {Promise<string>} what was done, for the reader
 */
export async function putCell(model, source, near) {
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  const cell = near.closest(".jp-Cell");
  if (typeof notebook?.insertCell === "function") {
    const place = cellNumber(cell);
    const at = place === null ? notebook.cells.length : place + 1;
    notebook.insertCell(at, {
      cell_type: "code", source, metadata: { trusted: true }, outputs: [], execution_count: null,
    });
    return place === null
      ? "A cell with this question stands at the end of the notebook."
      : "A cell with this question stands below.";
  }
  try {
    await navigator.clipboard.writeText(source);
    return "Copied as a cell: paste it into the notebook.";
  } catch {
    return "This page can neither put a cell into the notebook nor copy it.";
  }
}

/**
 * The number of a cell in its notebook; those out of sight may not be in the page.
 * @param {Element | null} cell
 */
function cellNumber(cell) {
  const told = cell?.getAttribute("data-windowed-list-index");
  if (told) return Number(told);
  const all = [...(cell?.parentElement?.querySelectorAll(":scope > .jp-Cell") ?? [])];
  const at = cell ? all.indexOf(cell) : -1;
  return at < 0 ? null : at;
}
