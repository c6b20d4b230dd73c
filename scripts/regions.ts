/**
 * The text with new content between `<!-- name:start -->` and `<!-- name:end -->`, or null when it has no such region.
 * Throws for a region that is opened and not closed, or there twice.
 */
export function replaceRegion(text: string, name: string, content: string): string | null {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, inside, ...more] = text.split(start);
  if (before === undefined || inside === undefined) return null;
  const [, after, ...others] = inside.split(end);
  if (after === undefined || more.length > 0 || others.length > 0) {
    throw new Error(`the markers ${start} and ${end} must each be there once, in this order`);
  }
  return `${before}${start}\n${content}\n${end}${after}`;
}
