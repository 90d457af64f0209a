// "Did you mean": the known word closest to a mistyped one.

/**
 * The closest of `words` by edit distance, if close enough to be a slip; case, "-" and "_" do not count.
 * @param below upper bound of edits, excluded; by default more than a third of the word
 */
export function nearest(word: string, words: readonly string[], below?: number): string | undefined {
  const bare = strip(word);
  let best: string | undefined;
  let bestDistance = Math.min(below ?? Number.POSITIVE_INFINITY, Math.floor(bare.length / 3) + 1);
  for (const candidate of words) {
    const distance = editDistance(bare, strip(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function strip(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

/** Letters left out, put in, changed or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row.push(Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + same));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length];
}
