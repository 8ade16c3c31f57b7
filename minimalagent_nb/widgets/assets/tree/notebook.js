// @ts-check
/**
 * The run in the page's notebook: the outputs that show it, and those that its file keeps.
 *
 * A run that stays live is two outputs of its cell (see saved_outputs.py): the view, and the
 * static forms behind it, out of sight. The file holds the second alone: a page that is
 * loaded again while the kernel lives puts the view back in front. All of it by the notebook
 * of ipywidgets' manager in JupyterLab and Notebook 7; elsewhere there is none, and nothing
 * is done.
 */

const VIEW = "application/vnd.jupyter.widget-view+json";

/** @typedef {{outputs: any, place: number, isLive: boolean}} Place one output of the run */

/** The view of a model, or of none. @param {string} id */
function viewOf(id) {
  return { [VIEW]: { version_major: 2, version_minor: 0, model_id: id } };
}

/**
 * Whether the page's notebook is saved by a server that leaves views out of the file.
 * @param {any} model
 */
export function savesStaticForms(model) {
  const context = model.widget_manager?.context;
  // Documents of others, and on other drives, go to their files by other ways.
  if (!context?.model || context.model.collaborative || /^[^/]*:/.test(context.path)) return false;
  try {
    const config = document.getElementById("jupyter-config-data")?.textContent;
    return Number(JSON.parse(config ?? "{}").minimalagentSaves) >= 1;
  } catch {
    return false;
  }
}

/** The outputs of the run in the page's notebook, the last one of each cell first: what is put in
 *  or taken out at one place leaves the others where they are. @param {any} model @returns {Place[]} */
function placesOf(model) {
  const id = model.get("view_id");
  /** @type {Place[]} */
  const places = [];
  for (const cell of model.widget_manager?.context?.model?.cells ?? []) {
    const outputs = cell.outputs;
    for (let place = 0; id && place < (outputs?.length ?? 0); place += 1) {
      const { metadata, data } = outputs.get(place);
      if (metadata?.minimalagent_nb?.view !== id) continue;
      places.unshift({ outputs, place, isLive: data?.[VIEW]?.model_id === id });
    }
  }
  return places;
}

/**
 * Show the run again in a notebook that was loaded from its file.
 * @param {any} model @returns {Promise<boolean>} whether that was so
 */
export async function restoreView(model) {
  await model.widget_manager?.context?.ready;
  const places = placesOf(model);
  let isRestored = false;
  for (const { outputs, place } of places) {
    if (places.some((other) => other.outputs === outputs && other.isLive)) continue;
    const all = outputs.toJSON();
    const { data, metadata } = all[place];
    all.splice(place, 1,
      { output_type: "display_data", metadata, data: viewOf(model.get("view_id")) },
      { output_type: "display_data", metadata, data: { ...data, ...viewOf("") } });
    outputs.fromJSON(all);
    isRestored = true;
  }
  return isRestored;
}

/**
 * Have the notebook hold this static output of the run.
 * @param {any} model @param {any} output @param {boolean} isInstead whether the view goes
 */
export function putStatic(model, output, isInstead) {
  const places = placesOf(model);
  for (const { outputs, place, isLive } of places) if (!isLive) outputs.set(place, output);
  for (const { outputs, place } of places.filter(({ isLive }) => isInstead && isLive)) {
    const all = outputs.toJSON();
    all.splice(place, 1);
    outputs.fromJSON(all);
  }
}
