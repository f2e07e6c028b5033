/** The engine's error codes that the simulator uses, with the English text that goes with them. */
export const ENGINE_ERRORS = {
  NOT_FOUND: [2, 'Not found'],
  ACCESS_DENIED: [5, 'Access is denied'],
  INVALID_PARAMETERS: [8, 'Invalid parameters'],
  EMPTY_PARAMETERS: [9, 'Empty parameters'],
  ABORTED: [15, 'Request aborted'],
  APP_NOT_OPEN: [1017, 'App is not open'],
  APP_ALREADY_OPEN: [1002, 'App already open'],
  APP_NOT_FOUND: [1003, 'App not found'],
  APP_SAVE_FAILED: [1005, 'App save failed'],
  ALREADY_OPEN_IN_DIFFERENT_MODE: [1009, 'App already open in different mode'],
  APP_SCRIPT_MISSING: [1013, 'App script missing'],
  CALC_INVALID_DEF: [7000, 'Invalid definition'],
  CALC_NOT_IN_LIB: [7001, 'Not in library'],
  CALC_EVAL_CONDITION_FAILED: [7005, 'The calculation condition is not fulfilled'],
  CALC_PAGES_TOO_LARGE: [7009, 'Requested data pages are too large'],
  RELOAD_IN_PROGRESS: [11000, 'Reload in progress'],
  VARIABLE_DUPLICATE_NAME: [18001, 'Duplicate variable name'],
  PARSE_ERROR: [-32700, 'Parse error'],
  INVALID_REQUEST: [-32600, 'Invalid request'],
  METHOD_NOT_FOUND: [-32601, 'Method not found'],
  INVALID_PARAMS: [-32602, 'Invalid method parameter(s)'],
} as const satisfies Record<string, readonly [number, string]>

export type EngineErrorName = keyof typeof ENGINE_ERRORS

/** Answered to the client as `{"code", "parameter", "message"}`. */
export class EngineError extends Error {
  readonly code: number
  readonly parameter: string

  constructor(code: number, message: string, parameter = '') {
    super(message)
    this.name = 'EngineError'
    this.code = code
    this.parameter = parameter
  }
}

export function engineError(name: EngineErrorName, parameter = ''): EngineError {
  const [code, message] = ENGINE_ERRORS[name]
  return new EngineError(code, message, parameter)
}
