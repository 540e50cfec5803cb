/** The two windows: a button logs both in, over the transport that it names. */

for (const button of document.querySelectorAll('button')) {
  button.addEventListener('click', () => {
    for (const frame of document.querySelectorAll('iframe')) {
      frame.src = `person.html?name=${frame.title}&over=${button.dataset.over}`;
    }
  });
}
