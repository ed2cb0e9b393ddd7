const LINE_LENGTH_MAX = 120;

/** What changed, line by line, for one place of change: lines of before with `-`, of after with `+`. */
export function lineDiff(before: string, after: string): string[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail))
    tail++;
  return [
    ...old.slice(head, old.length - tail).map((line) => `  - ${brief(line)}`),
    ...now.slice(head, now.length - tail).map((line) => `  + ${brief(line)}`),
  ];
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\r?\n$/, "").split(/\r?\n/);
}

/** Files in one long line hold more than anybody wants to see. */
function brief(line: string): string {
  return line.length <= LINE_LENGTH_MAX
    ? line
    : `${line.slice(0, LINE_LENGTH_MAX)}… (${line.length} characters)`;
}
