// Joins the pieces of each list read from standard input as the page does.
import { pathToFileURL } from "node:url";

const { printedText } = await import(pathToFileURL(process.env.TREE_JS).href);

let input = "";
for await (const chunk of process.stdin) input += chunk;

process.stdout.write(JSON.stringify(JSON.parse(input).map((pieces) => (
  pieces.reduce((text, piece) => printedText(text + piece), "").replace(/\r/g, "")
))));
