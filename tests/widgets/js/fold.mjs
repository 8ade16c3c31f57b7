// Folds each list of ops read from standard input and writes what it amounts to, by
// the names that Reasoning.to_dict uses.
import { pathToFileURL } from "node:url";

const { EMPTY_RUN, reduce } = await import(pathToFileURL(process.env.TREE_JS).href);

let input = "";
for await (const chunk of process.stdin) input += chunk;

const summary = (run) => {
  const steps = run.turns.filter((turn) => turn.calls);
  const answer = run.turns.filter((turn) => turn.calls === 0).at(-1);
  return {
    query: run.query,
    session_id: run.session,
    model: run.model,
    status: run.status,
    error: run.error,
    usage: run.usage,
    duration: run.duration,
    stop_reason: run.stopReason,
    notices: run.notices.map(({ text }) => text),
    final_response: run.response || run.error || (answer?.text ?? ""),
    final_thinking: answer?.thinking ?? "",
    steps: steps.map((turn) => ({
      step_number: turn.number,
      thinking: turn.thinking,
      text: turn.text,
      usage: turn.usage,
      duration: turn.duration,
      tools: turn.tools.map(({ id, leftBehind, run: nested, output, approval, ...tool }) => ({
        call_id: id, name: tool.name, inputs: tool.inputs, status: tool.status,
        result: tool.result, error: tool.error, duration: tool.duration,
        truncated: tool.truncated, left_behind: leftBehind, progress: tool.progress,
        approval: approval && Object.fromEntries(Object.entries(approval).filter(([, x]) => x)),
        output: output.map(({ kind, text, shown }) => [
          kind, shown ? shown.text : text.replace(/\r/g, ""),
        ]),
        reasoning: nested && summary(nested),
      })),
    })),
  };
};

process.stdout.write(JSON.stringify(
  JSON.parse(input).map((ops) => summary(ops.reduce(reduce, EMPTY_RUN))),
));
