declare module 'xhr2' {
  export default class XMLHttpRequest {
    responseText: string;
    readonly status: number;
    addEventListener(event: 'loadend', listener: () => void): void;
  }
}
