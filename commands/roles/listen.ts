/** A port that is taken is the operator's to change: the message names the setting. */
import { Fault } from '../../schemas/errors.ts'

export async function bound<T>(
  setting: string,
  { host, port }: { host: string; port: number },
  listen: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await listen(port)
  } catch (error) {
    const inner = error instanceof Fault && error.cause !== undefined ? error.cause : error
    const text = inner instanceof Error ? inner.message : String(inner)
    const code = (inner as { code?: unknown }).code
    const network = code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL' || /EADDRINUSE|No address added/.test(text)
    if (!network) throw error
    const why = code === 'EACCES' ? 'not allowed' : code === 'EADDRNOTAVAIL' ? 'no such address' : 'the port is in use'
    throw new Fault('START_REFUSED', `cannot listen on ${host}:${port}: ${why}; set ${setting} to another`, error)
  }
}
