const longestShownValue = 80;

/** A value as it may stand in a one-line message: in quotes, control and invisible characters escaped, cut at 80. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  if (typeof value !== 'string') return String(value);
  const cut = value.length > longestShownValue ? `${value.slice(0, longestShownValue)}…` : value;
  return escapeInvisible(JSON.stringify(cut));
}

/** Replaces what a terminal or a log would act on, so that a hostile name cannot forge lines or colours. */
export function escapeInvisible(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
