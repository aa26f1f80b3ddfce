/** Every failure we name, and whether trying again helps. */
const faults = {
  BUS_CLOSED: { retry: false },
  BUS_FULL: { retry: true },
  BUS_IO: { retry: false },
  STORE_UNREACHABLE: { retry: true },
  STORE_REFUSED: { retry: false },
  ENGINE_DOWN: { retry: true },
  OUTPUT_UNREACHABLE: { retry: true },
  OUTPUT_REFUSED: { retry: false },
  INPUT_UNREADABLE: { retry: false },
  INPUT_TOO_LARGE: { retry: false },
  RECORD_INVALID: { retry: false },
  CONFIG_INVALID: { retry: false },
  START_REFUSED: { retry: false },
} as const
export type FaultCode = keyof typeof faults

/** The one class: a failure with a code, and the cause it came from. */
export class Fault extends Error {
  readonly code: FaultCode
  constructor(code: FaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'Fault'
    this.code = code
  }
  get retry(): boolean {
    return faults[this.code].retry
  }
}
