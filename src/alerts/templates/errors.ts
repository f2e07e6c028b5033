/** Where in a template something is wrong; lines and columns count from 1. */
export interface TemplatePlace {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

/** A template that cannot be read, is not well-formed, or fails while it runs. The message starts with the place. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly place: TemplatePlace
  readonly reason: string

  constructor(place: TemplatePlace, reason: string, options?: ErrorOptions) {
    super(`${formatPlace(place)}: ${reason}`, options)
    this.place = place
    this.reason = reason
  }
}

function formatPlace({ file, line, column }: TemplatePlace): string {
  return [file, line, column].filter((part) => part !== undefined).join(':')
}

/** 1-based line and column of an offset. */
export function placeOf(file: string, text: string, offset: number): TemplatePlace {
  const lines = text.slice(0, offset).split('\n')
  return { file, line: lines.length, column: lines.at(-1)!.length + 1 }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
