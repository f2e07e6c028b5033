/** Files that are embedded as text. */
declare module 'swagger-ui-dist/*' {
  const text: string
  export default text
}

declare module '*/swagger-initializer.js' {
  const text: string
  export default text
}
