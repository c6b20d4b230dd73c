export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  /** Own text, without that of the children. */
  text: string;
  children: XmlElement[];
}

const token = /<\?xml [^>]*\?>|<(\/?)([A-Za-z][\w-]*)((?: [A-Za-z][\w-]*="[^"<]*")*)(\/?)>|([^<]+)/y;
/** Everything but the characters of XML 1.0: https://www.w3.org/TR/xml/#charsets */
const forbidden = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;

/**
 * Reads the XML that we write as strictly as any parser: no CDATA, no comments, no other entities than XML's own.
 *
 * @throws Error for what is not well-formed
 */
export function parseXml(source: string): XmlElement {
  if (forbidden.test(source)) throw new Error('a character that XML does not allow');
  const top: XmlElement = { name: '', attributes: {}, text: '', children: [] };
  const open = [top];
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const at = token.lastIndex;
    const match = token.exec(source);
    const parent = open.at(-1);
    if (match === null || parent === undefined) throw new Error(`not well-formed: ${source.slice(at, at + 80)}`);
    const [, closing, name, attributes = '', empty, text] = match;
    if (text !== undefined) parent.text += decode(text);
    else if (closing === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes something else`);
    } else if (name !== undefined) {
      const element = { name, attributes: readAttributes(attributes), text: '', children: [] };
      parent.children.push(element);
      if (empty !== '/') open.push(element);
    }
  }
  const [root, ...others] = top.children;
  if (root === undefined || others.length > 0 || open.length !== 1) throw new Error('not one element, or not closed');
  return root;
}

function readAttributes(source: string): Record<string, string> {
  return Object.fromEntries(
    [...source.matchAll(/ ([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      // A parser takes written white space for blanks.
      decode(value.replace(/[\t\n\r]/g, ' ')),
    ]),
  );
}

function decode(text: string): string {
  if (text.includes(']]>')) throw new Error('"]]>" in text');
  const known: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  return text.replace(/\r\n?/g, '\n').replace(/&(?:#(\d+)|(\w+));|&/g, (whole, code?: string, name?: string) => {
    if (code !== undefined) return String.fromCodePoint(Number(code));
    const character = known[name ?? ''];
    if (character === undefined) throw new Error(`${whole} is no entity of XML`);
    return character;
  });
}
