/** Text of outside made safe for a terminal: what would move the cursor, hide, or turn the reading direction is written out. */

/** Control and format characters, line and paragraph separators, lone surrogates. */
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu
const unsafeButLines = /(?!\n)[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu

function written(char: string): string {
  return [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')
}

/** One line. */
export const safeText = (text: string): string => text.replace(unsafe, written)

/** JSON stays the same JSON: outside of strings there are none of these but our own line breaks. */
export const safeJson = (value: unknown, indent = 0): string => JSON.stringify(value, null, indent).replace(unsafeButLines, written)

const lineBytes = 16

/** Offset, hex and ASCII, sixteen bytes a line. */
export function hexLines(bytes: Uint8Array, bytesMax: number): string[] {
  const lines: string[] = []
  for (let from = 0; from < Math.min(bytes.length, bytesMax); from += lineBytes) {
    const part = Buffer.from(bytes.subarray(from, Math.min(from + lineBytes, bytesMax)))
    const hex = part.toString('hex').replace(/../g, '$& ')
    lines.push(
      `${from.toString(16).padStart(8, '0')}  ${hex.padEnd(lineBytes * 3)} ${part.toString('latin1').replace(/[^\x20-\x7e]/g, '.')}`,
    )
  }
  if (bytes.length > bytesMax) lines.push(`… ${bytes.length - bytesMax} more bytes: --raw writes them all`)
  return lines
}
