using System;
using System.IO;
using System.Text.Json;
using System.Threading;

/// <summary>Handlers that go on only when as many as are expected are there at the same time.</summary>
public class Meets {
    public Stream Handle(Stream input) {
        using (var bytes = new MemoryStream()) {
            input.CopyTo(bytes);
            using (var json = JsonDocument.Parse(bytes.ToArray())) {
                return Meet(json.RootElement);
            }
        }
    }

    private static Stream Meet(JsonElement json) {
        var place = json.GetProperty("place").GetString();
        var id = json.GetProperty("id").GetString();
        File.WriteAllText(Path.Combine(place, id), "");
        var until = DateTime.UtcNow.AddSeconds(20);
        while (Directory.GetFiles(place).Length < json.GetProperty("expected").GetInt32()) {
            if (DateTime.UtcNow > until) {
                return Answer(id, false);
            }
            Thread.Sleep(10);
        }
        Console.WriteLine("met " + id);
        if (json.GetProperty("fails").GetBoolean()) {
            throw new InvalidOperationException("met " + id);
        }
        return Answer(id, true);
    }

    private static Stream Answer(string id, bool met) {
        return new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(new { id, met }));
    }
}
