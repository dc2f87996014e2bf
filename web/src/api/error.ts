// What a request can end with, as words for a person and as faults of single fields.

export class ApiError extends Error {
  readonly status: number // 0: no answer
  readonly code: string
  readonly fields: Record<string, string>

  constructor(status: number, body: unknown) {
    const detail = (body as { detail?: unknown } | undefined)?.detail
    const faults = Array.isArray(detail) ? (detail as { loc: (string | number)[]; msg: string }[]) : []
    const fields = Object.fromEntries(faults.map(fault => [String(fault.loc[1] ?? ''), sentence(fault.msg)]))
    super(
      status === 0
        ? 'The server cannot be reached.'
        : faults.length > 0
          ? faults.map(fault => [fault.loc.slice(1).join('.'), fault.msg].filter(Boolean).join(': ')).join('; ')
          : typeof detail === 'string'
            ? detail
            : `The server answered ${status}.`,
    )
    this.status = status
    this.code = (body as { code?: string } | undefined)?.code ?? ''
    this.fields = fields
  }
}

function sentence(text: string) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function messageOf(error: unknown) {
  return error instanceof Error ? error.message : String(error)
}

export function fieldsOf(error: unknown): Record<string, string> {
  return error instanceof ApiError ? error.fields : {}
}
