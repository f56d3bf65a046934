using System;
using System.IO;
using System.Net.Http;
using System.Text;

// An executable assembly: it has a runtime client in itself.
public static class Executable {
    public static void Main() {
        var api = "http://" + Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";
        var client = new HttpClient();
        while (true) {
            var next = client.GetAsync(api + "next").Result;
            var id = string.Join("", next.Headers.GetValues("Lambda-Runtime-Aws-Request-Id"));
            var answer = "{\"executable\": " + next.Content.ReadAsStringAsync().Result + "}";
            client.PostAsync(api + id + "/response", new StringContent(answer, Encoding.UTF8, "application/json")).Wait();
        }
    }
}
