/** Why the scheduler does not do what was asked. */

/** The file holds something that cannot be read: it is not overwritten. */
export class FileBrokenError extends Error {
  override readonly name = 'FileBrokenError'
}

/** The file could not be written; nothing has changed. */
export class FileWriteError extends Error {
  override readonly name = 'FileWriteError'
}

export class UnknownScheduleError extends Error {
  override readonly name = 'UnknownScheduleError'
  constructor(readonly id: string) {
    super(`Schedule ID ${id} not found.`)
  }
}

/** The schedule cannot run as it stands. */
export class InvalidScheduleError extends Error {
  override readonly name = 'InvalidScheduleError'
  constructor(
    readonly field: string,
    message: string,
    readonly details?: string,
  ) {
    super(message)
  }
}
