/** Characters that XML 1.0 does not allow, however they are written: https://www.w3.org/TR/xml/#charsets */
const forbidden =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const named: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  // Not only for symmetry: "]]>" is not allowed in text.
  '>': '&gt;',
  '"': '&quot;',
};

/** Foreign text as the content of an element. A carriage return is written out, since a parser would make a line end of it. */
export function text(content: string): string {
  return legal(content)
    .replace(/[&<>]/g, (character) => named[character] ?? '')
    .replaceAll('\r', '&#13;');
}

/** ` name="value"` for each; white space is written out, since a parser would make blanks of it. */
export function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${attribute(value)}"`)
    .join('');
}

function attribute(value: string): string {
  return legal(value)
    .replace(/[&<>"]/g, (character) => named[character] ?? '')
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function legal(content: string): string {
  return content.replace(forbidden, '\ufffd');
}
