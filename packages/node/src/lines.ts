/** A line longer than this ends the connection it came over: 8 Mi UTF-16 units. */
export const LINE_LENGTH_MAX = 8 * 1024 * 1024;

/** Cuts text that comes in pieces into lines. */
export interface LineCutter {
  /** The lines this piece completes, without their ends, empty ones left out. @throws RangeError on one too long. */
  push(piece: string): string[];
}

export function createLineCutter(lengthMax = LINE_LENGTH_MAX): LineCutter {
  let pieces: string[] = [];
  let length = 0;
  return {
    push(piece) {
      const lines: string[] = [];
      let from = 0;
      for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", from)) {
        const line = (pieces.join("") + piece.slice(from, end)).replace(/\r$/, "");
        pieces = [];
        length = 0;
        from = end + 1;
        if (line !== "") lines.push(line);
      }
      if (from < piece.length) {
        pieces.push(piece.slice(from));
        length += piece.length - from;
        if (length > lengthMax) throw new RangeError(`a line longer than ${lengthMax} characters`);
      }
      return lines;
    },
  };
}
