// Sends a chosen file as it is, so that the server can store it while it comes; goes on to its columns.
"use strict";

(() => {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const [bar, fault, button] = ["sent", "fault", "send"].map((id) => document.getElementById(id));

  function failed(says) {
    fault.textContent = says;
    fault.hidden = false;
    bar.hidden = true;
    button.disabled = false;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [file] = form.elements.file.files;
    if (!file) return;
    fault.hidden = true;
    bar.hidden = false;
    button.disabled = true;
    const request = new XMLHttpRequest();
    request.open("POST", form.dataset.upload + "?name=" + encodeURIComponent(file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", form.dataset.token);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (at) => {
      bar.value = at.total ? (100 * at.loaded) / at.total : 0;
    });
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // said below
      }
      if (request.status === 201) location.assign(answer.data.next);
      else failed(answer.detail || "The server did not take the file. Put it into the project's folder by hand.");
    });
    request.addEventListener("error", () => failed("The connection broke off. Send it again."));
    request.send(file);
  });
})();
