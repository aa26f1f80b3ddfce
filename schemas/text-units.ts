/** The characters of a text as numbers: out of an array they are read in a fraction of the time that a string takes. */

const scratchMax = 16 * 1024

/**
 * Each answer has `spare` places behind the text. A text of usual length shares one array with the next: it is read by nobody
 * after that, and an array of its own would cost more than the look.
 */
export function createTextUnits(spare = 0): (text: string) => Uint16Array {
  const scratch = new Uint16Array(scratchMax + spare)
  const scratchBytes = Buffer.from(scratch.buffer)
  return (text) => {
    const units = text.length <= scratchMax ? scratch : new Uint16Array(text.length + spare)
    const bytes = units === scratch ? scratchBytes : Buffer.from(units.buffer)
    bytes.write(text, 'utf16le')
    return units
  }
}
