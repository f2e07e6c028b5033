/** Files that are embedded as text. */
declare module '*.svg' {
  const text: string
  export default text
}
declare module '*.css' {
  const text: string
  export default text
}
declare module '*/inbox.js' {
  const text: string
  export default text
}
declare module '*.eta' {
  const text: string
  export default text
}
declare module '*/assets/editor.js' {
  const text: string
  export default text
}
declare module '*/assets/lookup.js' {
  const text: string
  export default text
}
declare module '*/assets/pairs.js' {
  const text: string
  export default text
}
declare module '*/assets/palette.js' {
  const text: string
  export default text
}
declare module '*/assets/frame.js' {
  const text: string
  export default text
}

declare module '*/assets/schedule.js' {
  const text: string
  export default text
}
declare module '*/assets/live.js' {
  const text: string
  export default text
}
declare module '*/assets/pictures.js' {
  const text: string
  export default text
}
declare module '*/assets/log.js' {
  const text: string
  export default text
}
declare module '*/assets/chart.js' {
  const text: string
  export default text
}
declare module '*/assets/config.js' {
  const text: string
  export default text
}
declare module '*/swagger-initializer.js' {
  const text: string
  export default text
}
declare module 'swagger-ui-dist/LICENSE' {
  const text: string
  export default text
}

/** Files that are embedded with `type: 'file'`; the import gives their path. */
declare module 'swagger-ui-dist/*' {
  const path: string
  export default path
}
declare module '*.ttf' {
  const path: string
  export default path
}
declare module '*.wasm' {
  const path: string
  export default path
}
declare module '*.icc' {
  const path: string
  export default path
}
declare module '*.xlsx' {
  const path: string
  export default path
}
